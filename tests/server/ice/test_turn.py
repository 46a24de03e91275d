"""Passwords for TURN servers: whose, until when, and what is served without the secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosignal.protocol.ids import UserId
from robosignal.server.core.steps import IceServers
from robosignal.server.ice.turn import TurnServers, make_credential

STUN = [{"urls": ["stun:stun.example:3478"]}]
URLS = ("turn:a.example:3478", "turns:a.example:5349?transport=tcp")
NOW = 1_800_000_000_000
LATER = NOW + 24 * 3600 * 1000
NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


def test_a_user_gets_a_password_after_the_fixed_list() -> None:
    """As OpenSSL makes it: `printf 1800003600:ann | openssl dgst -sha1 -hmac north -binary`."""
    ice = TurnServers(URLS, lambda _now: "north", STUN)

    found = ice.servers(UserId("ann"), NOW, LATER)

    turn = {
        "urls": list(URLS),
        "username": "1800003600:ann",
        "credential": "Cr6BV9Y6S/ZFXiZ47vdlFLWYOog=",
    }
    assert found == IceServers([*STUN, turn], 3600)


@pytest.mark.parametrize(
    ("user", "written"),
    [
        ("3f1c-ab_2.x~", "3f1c-ab_2.x~"),
        ("auth0|5f:a@b.example", "auth0|5f:a@b.example"),
        ("Ann O'Neil", "Ann%20O%27Neil"),
        ('"\\', "%22%5C"),
        ("100%20", "100%2520"),
    ],
)
def test_a_name_says_whose_it_is(user: str, written: str) -> None:
    """As it is, but for what coturn leaves without an answer; no two users share a name."""
    (server,) = (
        TurnServers(URLS, lambda _now: "north", []).servers(UserId(user), NOW, LATER).servers
    )

    assert server["username"] == f"1800003600:{written}"


def test_a_part_of_a_second_does_not_count() -> None:
    """TURN servers compare whole seconds."""
    ice = TurnServers(URLS, lambda _now: "north", [])

    assert ice.servers(UserId("ann"), NOW + 999, LATER) == ice.servers(UserId("ann"), NOW, LATER)


def test_the_secret_is_asked_for_at_the_requests_time() -> None:
    """Its keeper judges by that whether to read it again."""
    times: list[int] = []

    def secret(now: int) -> str:
        times.append(now)
        return "north"

    TurnServers(URLS, secret, []).servers(UserId("ann"), NOW, LATER)

    assert times == [NOW]


def test_without_a_user_there_is_no_password() -> None:
    """Nor is the secret asked for: strangers cost no call."""

    def secret(now: int) -> str:
        raise AssertionError(now)

    assert TurnServers(URLS, secret, STUN).servers(None, NOW, LATER) == IceServers(
        STUN, 3600, turn=True
    )


@pytest.mark.parametrize(
    ("rest_ms", "serves_s"), [(5999, 5), (999, 0), (3_599_999, 3599), (3_600_000, 3600)]
)
def test_a_password_outlives_no_token(rest_ms: int, serves_s: int) -> None:
    """By whole seconds, of which the last one begun does not count."""
    found = TurnServers(URLS, lambda _now: "north", []).servers(UserId("ann"), NOW, NOW + rest_ms)

    assert found.ttl_seconds == serves_s
    assert found.servers[0]["username"] == f"{NOW // 1000 + serves_s}:ann"


@pytest.mark.parametrize("fixed", [STUN, []])
def test_without_the_secret_the_fixed_list_is_served(fixed: list[dict[str, object]]) -> None:
    """Peers on one network need no relay; peers that do ask again after a minute."""
    ice = TurnServers(URLS, lambda _now: None, fixed)

    assert ice.servers(UserId("ann"), NOW, LATER) == IceServers(fixed, 60, turn=True)


def test_serving_changes_no_list() -> None:
    """What one user was given is never another's."""
    fixed = [dict(STUN[0])]
    ice = TurnServers(URLS, lambda _now: "north", fixed)

    first, second = (ice.servers(UserId(user), NOW, LATER).servers for user in ("ann", "bob"))

    assert fixed == STUN
    assert first[-1]["username"] == "1800003600:ann"
    assert second[-1]["username"] == "1800003600:bob"


@given(NAMES, NAMES)
def test_no_two_names_share_a_password(one: str, other: str) -> None:
    """Each is good for its name alone."""
    assert (make_credential("north", one) == make_credential("north", other)) == (one == other)
