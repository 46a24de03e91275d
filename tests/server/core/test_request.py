"""A request's times and what it makes of its sender, for a seed connection and for v1's."""

from msgspec import structs

from robosignal.protocol import limits
from robosignal.protocol.ids import ConnectionId, RobotId, SessionId, UserId, session_id
from robosignal.server.core.records import Connection, Session
from robosignal.server.core.request import Request, Rules, clear_grace, grace_end

NOW = 1_800_000_000_000
OPENED = NOW - 60_000
TWO_HOURS = 2 * 60 * 60 * 1000
ROW = Connection(
    connection_id=ConnectionId("c1="),
    user_id=UserId("ann"),
    name="Ann",
    dialect="v1",
    ts=OPENED,
    expires_at=NOW + 5,
    ttl=1,
)
V1 = Request(ROW, NOW, Rules())
SEED = Request(structs.replace(ROW, dialect="seed"), NOW, Rules())


def test_what_v1_has_lasts_until_it_must_be_renewed() -> None:
    """A lease 60 s, a place 300 s, presence two and a half heartbeats."""
    assert V1.lease_until == NOW + 60_000
    assert V1.viewer_until == NOW + 300_000
    assert V1.presence_until == NOW + 300_000


def test_what_a_seed_connection_has_lasts_as_long_as_its_socket_can() -> None:
    """It never pings: two hours from its opening, or as long as its token is good."""
    lasting = structs.replace(SEED.sender, expires_at=OPENED + 2 * TWO_HOURS)
    request = Request(lasting, NOW, Rules())
    end, token = OPENED + TWO_HOURS, SEED.sender.expires_at

    assert (request.lease_until, request.viewer_until, request.presence_until) == (end, end, end)
    assert (SEED.lease_until, SEED.viewer_until, SEED.presence_until) == (token, token, token)


def test_a_lease_given_to_another_lasts_as_that_one_needs() -> None:
    """The receiver's dialect counts, not the giver's; a seed's lasts as long as its place."""
    seed = SEED.own_session(SessionId("r1:x"), OPENED + TWO_HOURS)

    assert V1.lease_until_for(seed) == OPENED + TWO_HOURS
    assert SEED.lease_until_for(V1.own_session(SessionId("r1:x"), NOW)) == NOW + 60_000


def test_grace_is_half_a_minute_for_both() -> None:
    """From the moment in which the socket was found lost."""
    assert grace_end(NOW) == NOW + 30_000


def test_presence_follows_the_deployments_heartbeat() -> None:
    """A slower heartbeat makes presence last longer, in whole seconds."""
    request = Request(ROW, NOW, Rules(heartbeat_seconds=15))

    assert V1.presence_seconds == limits.PRESENCE_SECONDS
    assert request.presence_seconds == 37
    assert request.presence_until == NOW + 37_000


def test_a_session_is_the_senders_own() -> None:
    """Its id comes of robot and connection, all else of the row."""
    robot = RobotId("r1")

    assert V1.new_session(robot, NOW + 9) == Session(
        session_id=session_id(robot, ROW.connection_id),
        user_id=ROW.user_id,
        name="Ann",
        connection_id=ROW.connection_id,
        connected_at=OPENED,
        dialect="v1",
        expires_at=NOW + 5,
        until=NOW + 9,
    )


def test_a_session_keeps_its_id_when_it_moves() -> None:
    """It is the same session on another connection."""
    moved = V1.own_session(SessionId("r1:older"), NOW + 9)

    assert moved.session_id == "r1:older"
    assert moved.connection_id == ROW.connection_id
    assert moved.lost is None


def test_a_request_seen_with_another_row_is_else_the_same() -> None:
    """Time and rules stay."""
    row = structs.replace(ROW, robot_id=RobotId("r1"))

    assert V1.with_sender(row) == Request(row, NOW, V1.rules)


def test_grace_ends_when_a_session_goes_on() -> None:
    """A new end, and no longer lost."""
    lost = structs.replace(V1.own_session(SessionId("r1:x"), NOW), lost=NOW)

    assert clear_grace(lost, NOW + 7) == structs.replace(lost, until=NOW + 7, lost=None)
