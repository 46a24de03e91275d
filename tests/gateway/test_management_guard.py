"""Who may call the management API, and what it makes of a request that is none."""

from typing import Any

import aiohttp
import pytest

from robosignal.gateway.gateway import Gateway
from robosignal.gateway.management import is_local
from tests.gateway.conftest import Serve
from tests.gateway.raw import dial
from tests.gateway.recorder import answers_ok

GONE = "JC1dgf9yoAMCK-g="


async def asked(gateway: Gateway, method: str = "POST", **request: Any) -> tuple[int, str | None]:
    """Send a bare request to a connection; return the status and the error's type."""
    url = f"{gateway.management_url}/@connections/JC1dgf9yoAMCK-g%3D"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, **request) as answer,
    ):
        return answer.status, answer.headers.get("x-amzn-ErrorType")


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:8080"},
        {"Host": "127.0.0.1"},
        {"Host": "localhost"},
        {"Host": "127.0.0.1:1"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"x-forwarded-proto": "https"},
        {"X-Forwarded-Host": "a.example"},
        {"X-Forwarded-Port": "443"},
        {"X-Forwarded": "for=203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Forwarded-For": "203.0.113.7"},
        {"Via": "1.1 proxy.example"},
        {"X_Forwarded_For": "203.0.113.7"},
        {"Connection": "upgrade"},
        {"Connection": "keep-alive, Upgrade"},
        {"X-Real-IP": "203.0.113.7"},
        {"X-Client-IP": "203.0.113.7"},
        {"X-Original-URL": "/"},
        {"Client-IP": "203.0.113.7"},
        {"True-Client-IP": "203.0.113.7"},
        {"CF-Connecting-IP": "203.0.113.7"},
        {"Cf-Ray": "1"},
        {"CDN-Loop": "proxy"},
        {"Fastly-Client-IP": "203.0.113.7"},
        {"Fly-Client-IP": "203.0.113.7"},
        {"Sec-Fetch-Mode": "no-cors"},
    ],
    ids=str,
)
async def test_what_a_page_or_a_proxy_sends_is_forbidden(
    serve: Serve, header: dict[str, str]
) -> None:
    """Signatures are not checked on one machine, so only its own programs may call."""
    assert await asked(await serve(answers_ok), headers=header) == (403, "ForbiddenException")


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"X-Amz-Date": "20270101T000000Z", "X-Amz-Content-SHA256": "0", "amz-sdk-request": "1"},
        {"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"},
        {"Authorization": "AWS4-HMAC-SHA256 Credential=x", "User-Agent": "curl/8"},
        {"Connection": "keep-alive"},
        {"Connection": "close"},
    ],
    ids=str,
)
async def test_a_program_on_this_machine_may_call(serve: Serve, header: dict[str, str]) -> None:
    """The same request without those headers gets past the guard, also with AWS's own."""
    answer = await asked(await serve(answers_ok), headers=header)

    assert answer == (410, "GoneException")


async def bare(gateway: Gateway, version: str, *hosts: str) -> int:
    """Send a request of an HTTP version with these `Host` headers; return the status."""
    lines = [f"GET /prod/@connections/{GONE} HTTP/{version}", *(f"Host: {host}" for host in hosts)]
    async with dial(gateway) as raw:
        await raw.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        return await raw.status()


async def test_a_proxy_that_speaks_http_1_0_is_forbidden(serve: Serve) -> None:
    """As some do by default, with our own address for a host and no header of theirs."""
    gateway = await serve(answers_ok)
    ours = f"127.0.0.1:{gateway.port}"

    assert [await bare(gateway, version, ours) for version in ("1.0", "1.1")] == [403, 410]


async def test_a_second_host_is_no_way_in(serve: Serve) -> None:
    """In whichever order."""
    gateway = await serve(answers_ok)
    ours = f"localhost:{gateway.port}"
    statuses = [await bare(gateway, "1.1", *hosts) for hosts in ((ours, "a"), ("a", ours))]

    assert 410 not in statuses
    assert await bare(gateway, "1.1", ours) == 410


async def test_another_verb_is_forbidden(serve: Serve) -> None:
    """There are three."""
    assert await asked(await serve(answers_ok), "PUT") == (403, "ForbiddenException")


async def test_a_body_that_is_not_utf8_is_a_bad_request(serve: Serve) -> None:
    """It could not be a text frame."""
    answer = await asked(await serve(answers_ok), data=b"\xff")

    assert answer == (400, "BadRequestException")


@pytest.mark.parametrize(
    ("remote", "host", "local"),
    [
        ("127.0.0.1", "127.0.0.1:8080", True),
        ("127.9.9.9", "localhost:8080", True),
        ("::1", "[::1]:8080", True),
        ("::ffff:127.0.0.1", "LOCALHOST:8080", True),
        ("192.168.1.5", "127.0.0.1:8080", False),
        ("::ffff:192.168.1.5", "127.0.0.1:8080", False),
        ("2001:db8::1", "[::1]:8080", False),
        (None, "127.0.0.1:8080", False),
        ("", "127.0.0.1:8080", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1:8081", False),
        ("127.0.0.1", "127.0.0.1:8080\n", False),
        ("127.0.0.1", "192.168.1.5:8080", False),
    ],
)
def test_only_loopback_is_local(remote: str | None, host: str, *, local: bool) -> None:
    """Both the peer's address and the name and port that it calls us by."""
    assert is_local(remote, 8080, [("Host", host)]) is local


def test_a_second_host_is_never_local() -> None:
    """Whichever of the two somebody on the way went by."""
    ours = ("Host", "localhost:8080")

    assert is_local("127.0.0.1", 8080, [ours])
    assert not is_local("127.0.0.1", 8080, [ours, ("host", "a.example")])
    assert not is_local("127.0.0.1", 8080, [ours, ours])


def test_port_80_need_not_be_named() -> None:
    """Clients leave it out."""
    assert is_local("127.0.0.1", 80, [("Host", "localhost")])
    assert not is_local("127.0.0.1", None, [("Host", "localhost")])
