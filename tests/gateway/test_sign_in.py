"""Links that sign in once: what a code is worth, when, and what is told of one worth nothing."""

import aiohttp
import pytest

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.gateway import Gateway
from robosignal.gateway.limits import Limits
from robosignal.gateway.sign_in import SignIns
from tests.gateway.conftest import Serve
from tests.gateway.raw import dial
from tests.gateway.recorder import answers_ok


class Out:
    """The codes that are out for one user, on a clock by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.signed = 0
        self.told: list[str] = []
        self.sign_ins = SignIns(lambda: self.now)
        self.first = self.sign_ins.begin(self.sign, self.told.append)

    def sign(self) -> str:
        """Sign a token that is like no other."""
        self.signed += 1
        return f"token-{self.signed}"


@pytest.fixture
def out() -> Out:
    """One code is out."""
    return Out()


def test_a_code_is_exchanged_once(out: Out) -> None:
    """The second time it is worth nothing, and no token is signed for it."""
    found = [out.sign_ins.exchange(out.first) for _ in range(2)]

    assert (found, out.signed) == (["token-1", None], 1)


def test_the_next_code_is_told_when_one_is_used(out: Out) -> None:
    """It serves as the first did, and a code that was used brings no other out while it does."""
    out.sign_ins.exchange(out.first)
    out.sign_ins.exchange(out.first)
    (second,) = out.told

    assert second != out.first
    assert out.sign_ins.exchange(second) == "token-2"


@pytest.mark.parametrize(("passed", "token"), [(899.9, "token-1"), (900.0, None)])
def test_a_code_serves_for_fifteen_minutes(out: Out, passed: float, token: str | None) -> None:
    """After it was used or has expired, a new code is told."""
    out.now += passed

    assert out.sign_ins.exchange(out.first) == token
    assert len(out.told) == 1


def test_who_comes_with_a_used_code_finds_one_that_serves(out: Out) -> None:
    """Also when the one that was told since is too old by then."""
    out.sign_ins.exchange(out.first)
    out.now += 900
    late = out.sign_ins.exchange(out.first)

    assert (late, out.sign_ins.exchange(out.told[-1])) == (None, "token-2")


@pytest.mark.parametrize("code", ["", "x", "token-1"])
def test_what_is_no_code_brings_nothing_out(out: Out, code: str) -> None:
    """A guess writes to no terminal, and takes no code away."""
    assert (out.sign_ins.exchange(code), out.told) == (None, [])
    assert out.sign_ins.exchange(out.first) == "token-1"


def test_each_link_is_its_own(out: Out) -> None:
    """Using the one leaves the other as it is."""
    other = out.sign_ins.begin(lambda: "other", out.told.append)

    assert [out.sign_ins.exchange(code) for code in (other, out.first)] == ["other", "token-1"]
    assert len({out.first, other, *out.told}) == 4


@pytest.fixture
async def gateway(serve: Serve, out: Out) -> Gateway:
    """A gateway with that code."""
    limits = Limits(handshake_seconds=0.2)
    return await serve(answers_ok, OpenConnections(), sign_ins=out.sign_ins, limits=limits)


async def posted(gateway: Gateway, **sent: object) -> tuple[int, dict[str, str]]:
    """Post to the address at which codes are exchanged; return status and answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway.url}sign-in", **sent) as answer,  # type: ignore[arg-type]
    ):
        return answer.status, await answer.json()


async def test_a_page_exchanges_a_code_by_post(gateway: Gateway, out: Out) -> None:
    """Once: then it is gone, with what to do."""
    first = await posted(gateway, json={"code": out.first})
    status, said = await posted(gateway, json={"code": out.first})

    assert (first, status) == ((200, {"token": "token-1"}), 410)
    assert "was used or has expired" in said["message"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {}}, 400),
        ({"json": ["code"]}, 400),
        ({"json": {"code": 1}}, 400),
        ({"json": {"code": "é"}}, 400),
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": "[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"\xff", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": {"code": "x"}}, 415),
        ({"data": '{"code": "x"}', "headers": {"Content-Type": "text/plain"}}, 415),
        ({"json": {"code": "x"}}, 410),
    ],
    ids=repr,
)
async def test_what_has_no_code_is_refused(
    gateway: Gateway, out: Out, sent: dict[str, object], status: int
) -> None:
    """And uses up no code."""
    refused, _ = await posted(gateway, **sent)

    assert (refused, out.sign_ins.exchange(out.first)) == (status, "token-1")


async def test_a_body_that_does_not_come_is_not_waited_for(gateway: Gateway) -> None:
    """As everywhere on this port."""
    head = "POST /sign-in HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    async with dial(gateway) as raw:
        await raw.send(f"{head}Content-Length: 5\r\n\r\n".encode())

        assert await raw.status() == 408


async def test_a_code_is_never_exchanged_by_following_a_link(gateway: Gateway, out: Out) -> None:
    """A GET changes nothing, from any sender."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{gateway.url}sign-in?code={out.first}") as answer,
    ):
        status = answer.status

    assert (status, out.signed) == (404, 0)
