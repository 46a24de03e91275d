"""Limits and faults: too many messages, a store that fails, a store that is busy."""

from typing import NoReturn

import pytest

from robosignal.gateway.store import LocalStore
from signaling.adapters.limiter import Buckets
from signaling.wire.errors import TryAgain
from signaling.wire.ids import ConnectionId
from tests.tokens import signer
from tests.world import Peer, World


@pytest.fixture
def limited(local_store: LocalStore) -> World:
    """A backend that allows one message a second, and four at once."""
    return World(local_store, signer(), limiter=Buckets(per_second=1, burst=4))


def spend(peer: Peer, messages: int = 4) -> None:
    """Send as many messages as are allowed at once."""
    for _ in range(messages):
        peer.ask(type="ping")
        assert peer.status == 200


def test_a_message_over_the_limit_is_refused_and_not_carried_out(limited: World) -> None:
    """The connection stays open; nothing is written or posted."""
    robot = limited.robot("r1", "owner")
    client = limited.connect("owner")
    spend(client)
    before = limited.stored()

    reply = client.offer()

    assert client.status == 429
    assert reply == {
        "type": "error",
        "replyTo": "q",
        "code": "rate_limited",
        "message": "too many messages: slow down, or this connection is closed",
    }
    assert (limited.stored(), robot.frames, client.is_open) == (before, [], True)


def test_bad_messages_count_as_well(limited: World) -> None:
    """Nonsense is no way around the limit."""
    client = limited.connect("owner")
    for _ in range(4):
        client.send_text("nonsense")

    assert client.refused(type="robots") == (429, "rate_limited")


def test_the_third_strike_closes_the_connection(limited: World) -> None:
    """A strike is a second in which the limit was passed; the last frame says why."""
    client = limited.connect("owner")
    spend(client)
    strikes = []
    for _ in range(3):
        client.send(type="ping")
        strikes.append(client.is_open)
        limited.pass_seconds(1)
        client.send(type="ping")

    assert strikes == [True, True, False]
    assert [frame["code"] for frame in client.take()] == ["rate_limited"]


def test_a_seed_connections_third_strike_closes_it_without_a_word(limited: World) -> None:
    """Nothing unasked."""
    client = limited.connect("owner", v1=False)
    spend(client)
    for _ in range(3):
        client.send(type="ping")
        limited.pass_seconds(1)
        client.send(type="ping")

    assert (client.is_open, client.frames) == (False, [])


def test_limits_are_each_connections_own(limited: World) -> None:
    """A flood on one does not silence another."""
    flooding, quiet = limited.connect("owner"), limited.connect("owner")
    spend(flooding)

    assert flooding.refused(type="ping") == (429, "rate_limited")
    assert quiet.ask(type="ping")["type"] == "pong"


def test_a_slow_sender_is_never_refused(limited: World) -> None:
    """At the allowed rate the limit is never met."""
    client = limited.connect("owner")
    for _ in range(20):
        limited.pass_seconds(1)
        spend(client, 1)

    assert client.is_open


class Broken(LocalStore):
    """A store whose robots cannot be read or written, for the reason given."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(None)
        self.reason = reason

    def robot(self, *_: object) -> NoReturn:
        """Raise the reason."""
        raise self.reason

    def write_robot(self, *_: object) -> NoReturn:
        """Raise the reason."""
        raise self.reason


def broken(reason: Exception) -> tuple[Peer, Peer]:
    """Return a v1 and a seed client of a backend with such a store."""
    world = World(Broken(reason), signer())
    return world.connect("owner"), world.connect("owner", v1=False)


def test_our_own_fault_tells_a_request_id_and_nothing_else() -> None:
    """Neither the exception, nor any value of ours."""
    client, _ = broken(RuntimeError("secret table name"))

    reply = client.offer()

    request = f"req-{client.world.now}"
    assert client.status == 500
    assert reply == {
        "type": "error",
        "replyTo": "q",
        "code": "internal",
        "message": f"something failed on our side: report request {request}",
        "requestId": request,
    }


def test_our_own_fault_is_silent_to_a_seed_connection() -> None:
    """A seed connection without an id gets no frame; the status is for the log."""
    _, seed = broken(RuntimeError("x"))

    assert (seed.send(type="offer", robotId="r1", sdp="o"), seed.status) == (None, 500)


def test_a_busy_store_asks_to_try_again() -> None:
    """Never silence: the client knows that nothing was decided."""
    client, _ = broken(TryAgain())

    reply = client.offer()

    assert client.status == 503
    assert reply == {
        "type": "error",
        "replyTo": "q",
        "code": "try_again",
        "message": "the service is busy: send the message again in a moment",
    }


def test_a_message_sent_again_after_a_busy_post_is_delivered(world: World) -> None:
    """The lease stands, and the same offer brings the robot what it missed."""
    robot = world.robot("r1", "owner")
    client = world.connect("owner")
    world.outbox.busy = True
    busy = client.refused(type="offer", robotId="r1", sdp="o")
    world.outbox.busy = False
    world.pass_seconds(1)

    again = client.offer()

    assert busy == (503, "try_again")
    assert (again["role"], robot.types()) == ("controller", ["offer"])


class BusyAtTheEnd(LocalStore):
    """A store that is throttled just when connections close."""

    def remove_connection(self, connection: ConnectionId) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        raise TryAgain


def test_a_disconnect_that_the_store_is_too_busy_for_fails_nothing() -> None:
    """Leases end by themselves: the event is answered, not raised out of the handler."""
    world = World(BusyAtTheEnd(None), signer())
    client = world.connect("owner")

    result = world.event("DISCONNECT", client)

    assert result == {"statusCode": 503}
