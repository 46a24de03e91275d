"""Limits and faults: too many messages, a store that fails, a store that is busy."""

import logging
from typing import Any, NoReturn

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import TooLarge, TryAgain
from robosignal.protocol.ids import ConnectionId, RobotId
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.records import Connection, Robot
from robosignal.server.core.steps import ConditionFailed, Written
from robosignal.server.limits.limiter import Buckets
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
        "message": f"the server failed: report request {request}, and try again",
        "requestId": request,
    }


def test_our_own_fault_is_silent_to_what_may_be_a_seed_robot() -> None:
    """A seed connection without an id gets no frame; the status is for the log."""
    _, seed = broken(RuntimeError("x"))

    assert (seed.send(type="register", robotId="r1"), seed.status) == (None, 500)


def test_our_own_fault_tells_a_seed_page_no_more_than_others() -> None:
    """The page that offers waits for an answer: it gets the request id, in the seed's words."""
    _, seed = broken(RuntimeError("secret table name"))

    reply = seed.send(type="offer", robotId="r1", sdp="o")

    message = f"the server failed: report request req-{seed.world.now}, and try again"
    assert (seed.status, reply) == (500, {"type": "error", "error": "internal", "message": message})


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


REFUSALS = {
    "busy": TryAgain(),
    "too large": TooLarge("frame", 131072),
    "a fault": RuntimeError("ForbiddenException"),
}
"""What the management API, or a socket, may make of one receiver's post."""


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("whose", ["viewer", "displaced", "watcher"])
def test_one_receivers_trouble_stays_its_own(world: World, whose: str, refusal: str) -> None:
    """The takeover is acknowledged, and the others are told."""
    robot, boss = world.robot("r1", "owner"), world.connect("boss", groups=["ADMINS"])
    world.share("r1", "olga")
    peers = {"viewer": world.connect("olga"), "displaced": world.connect("olga")}
    peers["watcher"], last = world.connect("owner"), world.connect("owner")
    peers["displaced"].offer()
    for each in (peers["viewer"], last):
        each.offer(role="viewer")
    for each in (peers["watcher"], last):
        each.ask(type="watch")
    for each in (robot, *peers.values(), last):
        each.take()
    world.outbox.faults[peers[whose].connection_id] = REFUSALS[refusal]

    reply = boss.ask(type="takeover", robotId="r1")

    told = {"viewer": ["control"], "displaced": ["control-lost"], "watcher": ["presence"]}
    assert (reply["type"], robot.types(), last.types()) == (
        "ack",
        ["takeover"],
        ["control", "presence"],
    )
    assert {name: peer.types() for name, peer in peers.items()} == told | {whose: []}
    assert world.item().controller is not None


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("asked", ["offer", "view", "takeover"])
def test_what_the_robot_cannot_be_told_of_is_given_back(
    world: World, asked: str, refusal: str
) -> None:
    """Whatever keeps the frame from it: no session holds a robot that it cannot reach."""
    robot, owner = world.robot("r1", "owner"), world.connect("owner")
    world.share("r1", "olga")
    viewer, driver = world.connect("olga"), world.connect("olga")
    viewer.offer(role="viewer")
    if asked == "takeover":
        driver.offer()
    viewer.take()
    world.outbox.faults[robot.connection_id] = REFUSALS[refusal]
    sent: dict[str, dict[str, Any]] = {
        "offer": {"type": "offer", "robotId": "r1", "payload": {"sdp": "o"}},
        "view": {"type": "offer", "robotId": "r1", "payload": {"sdp": "o"}, "role": "viewer"},
        "takeover": {"type": "takeover", "robotId": "r1"},
    }

    reply = owner.ask(**sent[asked])

    expected = {"busy": "try_again", "too large": "too_large", "a fault": "internal"}
    item = world.item()
    assert reply["code"] == expected[refusal]
    assert (item.controller, list(item.viewers)) == (None, [viewer_session(item)])
    assert driver.types() == (["control-lost"] if asked == "takeover" else [])


def viewer_session(robot: Robot) -> str:
    """Return the one session of olga's that views."""
    (session,) = [each.session_id for each in robot.viewers.values() if each.user_id == "olga"]
    return session


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_relay_that_fails_changes_nothing_and_is_told(world: World, refusal: str) -> None:
    """The sender hears that it was not delivered; the session stays."""
    robot, driver = world.robot("r1", "owner"), world.connect("owner")
    session = driver.offer()["sessionId"]
    before = world.stored()
    world.outbox.faults[driver.connection_id] = REFUSALS[refusal]

    reply = robot.ask(type="answer", sessionId=session, payload={"sdp": "a"})

    expected = {"busy": "try_again", "too large": "too_large", "a fault": "internal"}
    assert (reply["code"], world.stored()) == (expected[refusal], before)


class Unseeing(LocalStore):
    """A store that cannot say who watches."""

    def watchers(self, watcher: str) -> NoReturn:
        """Fail, not as a busy store does."""
        raise RuntimeError(watcher)


class Uncleaning(LocalStore):
    """A store that fails at every clean-up of a socket found gone."""

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Carry out any other write."""
        if write.name.startswith("lose"):
            raise RuntimeError(write.name)
        return super().write_robot(robot, write)

    def write_connection(
        self, connection: ConnectionId, write: Write
    ) -> Written[Connection] | ConditionFailed[Connection]:
        """Carry out any write but the last of a session."""
        if write.name in ("forget_session", "unwatch"):
            raise RuntimeError(write.name)
        return super().write_connection(connection, write)


@pytest.mark.parametrize("kind", [Unseeing, Uncleaning])
def test_what_has_happened_has_happened(kind: type[LocalStore]) -> None:
    """A fault in telling of it, or in cleaning up after it, is logged; the sender is acked."""
    world = World(kind(None), signer())
    robot, watcher = world.robot("r1", "owner"), world.connect("owner")
    viewer, boss = world.connect("owner"), world.connect("boss", groups=["ADMINS"])
    viewer.offer(role="viewer")
    watcher.ask(type="watch")
    for gone in (viewer, watcher):
        gone.vanish()

    taken = boss.ask(type="takeover", robotId="r1")
    left = boss.ask(type="bye", robotId="r1")

    assert (taken["type"], left["type"]) == ("ack", "ack")
    assert robot.types()[-2:] == ["takeover", "peer-left"]


def test_a_change_that_cannot_be_audited_has_happened(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The log's own trouble is no reason to tell the driver that they do not drive."""

    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError(record)

    caplog.set_level(logging.INFO, "signaling.audit")
    robot, driver, full = world.robot("r1", "owner"), world.connect("owner"), Full()
    audit = logging.getLogger("signaling.audit")
    audit.addHandler(full)
    try:
        reply = driver.offer()
    finally:
        audit.removeHandler(full)

    assert (reply["type"], robot.types()) == ("ack", ["offer"])
    assert "change not audited" in caplog.text


class Forgetful(LocalStore):
    """A store that fails at the first lost socket of each event."""

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Fail for one robot's lost holder."""
        if write.name == "begin_holder_grace" and robot == "r1":
            raise TryAgain
        return super().write_robot(robot, write)


def test_a_session_that_cannot_be_cleaned_up_keeps_no_other_from_its_grace() -> None:
    """One page drives two robots; its end is recorded with the one that can be written."""
    world = World(Forgetful(None), signer())
    world.robot("r1", "owner")
    world.robot("r2", "owner")
    page = world.connect("owner")
    page.offer("r1")
    page.offer("r2")

    page.vanish()
    result = world.event("DISCONNECT", page)

    first, second = world.item("r1").controller, world.item("r2").controller
    assert result == {"statusCode": 503}
    assert first is not None
    assert second is not None
    assert (first.lost, second.lost) == (None, world.now)


def test_a_message_sent_again_after_a_busy_post_is_delivered(world: World) -> None:
    """The lease is kept, and the same offer brings the robot what it missed."""
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
