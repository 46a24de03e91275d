"""The limits of a connection as the entry keeps them: its rate, and its token's last moment."""

import logging

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.limits import BURST, STRIKES
from robosignal.server.limits.limiter import Buckets
from tests.tokens import signer
from tests.world import World

SECOND_MS = 1000


@pytest.fixture
def limiter() -> Buckets:
    """The limiter that ships, with a bucket that does not fill again."""
    return Buckets(per_second=0.001)


@pytest.fixture
def limited(limiter: Buckets) -> World:
    """A backend that limits rates."""
    return World(LocalStore(None), signer(), limiter=limiter)


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the codes of the messages that the log says were refused."""
    return [vars(each)["code"] for each in caplog.records if each.message == "message refused"]


def test_a_flood_is_logged_once(limited: World, caplog: pytest.LogCaptureFixture) -> None:
    """By the strike that ends it: a flood of messages must not flood the log as well."""
    caplog.set_level(logging.INFO, "signaling")
    peer = limited.connect("ann")
    for _ in range(BURST):
        peer.send(type="ping")
    logged = []
    for _ in range(STRIKES):
        for _ in range(10):
            if peer.is_open:
                peer.send(type="ping")
        logged.append(refusals(caplog))
        limited.now += SECOND_MS

    assert logged == [[], [], ["rate_limited"]]
    assert not peer.is_open


def test_other_refusals_are_logged_each(limited: World, caplog: pytest.LogCaptureFixture) -> None:
    """They are no flood: the rate limit bounds them."""
    caplog.set_level(logging.INFO, "signaling")
    peer = limited.connect("ann")
    for _ in range(2):
        peer.send_text("nonsense")

    assert refusals(caplog) == ["bad_message", "bad_message"]


def test_a_connection_that_has_ended_is_not_counted_any_longer(
    limited: World, limiter: Buckets
) -> None:
    """Its bucket goes with it: another's of the same id would be full."""
    peer = limited.connect("ann")
    for _ in range(BURST):
        peer.send(type="ping")
    counted = limiter.strike(peer.connection_id, limited.now)
    peer.disconnect()

    assert (counted, limiter.strike(peer.connection_id, limited.now)) == (1, 0)


@pytest.mark.parametrize(("early_ms", "good"), [(1, True), (0, False), (-1, False)])
def test_a_token_is_good_until_the_moment_it_ends(
    world: World, early_ms: int, *, good: bool
) -> None:
    """RFC 7519, section 4.1.4: on or after its expiry it must not be accepted."""
    peer = world.connect("ann")
    world.now = peer.expires_at - early_ms

    peer.send(type="ping")

    assert (peer.status, peer.is_open) == ((200, True) if good else (401, False))


@pytest.mark.parametrize("cause", ["bad token", "no token"])
def test_refused_handshakes_are_counted_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture, cause: str
) -> None:
    """Three thousand a second are two lines a second, and the next event of any kind tells."""
    caplog.set_level(logging.INFO, "signaling")
    ann = world.connect("ann")
    headers = {"Authorization": "Bearer no.token.atall"} if cause == "bad token" else {}
    for _ in range(3):
        for _ in range(3000):
            peer = world.dial()
            world.now -= 1
            world.event("CONNECT", peer, headers=headers)
        world.pass_seconds(1)
    ann.send(type="ping")
    counts = [vars(each).get("count", 1) for each in caplog.records]

    assert counts == [1, 2999] * 3


def test_refused_messages_are_counted_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten a second are logged each; sixty sockets of a stranger's fill no disk."""
    caplog.set_level(logging.INFO, "signaling")
    strangers = [world.connect("mallory") for _ in range(60)]
    world.now += SECOND_MS - world.now % SECOND_MS
    for peer in strangers:
        for _ in range(40):
            peer.send(type="takeover", robotId="r1")
    world.pass_seconds(1)
    strangers[0].send(type="ping")

    assert refusals(caplog) == ["forbidden"] * 10
    assert vars(caplog.records[-1])["count"] == 60 * 40 - 10
