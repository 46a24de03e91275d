"""What can be read off one record: admins, settled dialects, presence, holders, sessions."""

from typing import Any

import pytest
from msgspec import structs

from robosignal.protocol.frames import Person
from robosignal.protocol.ids import ConnectionId, RobotId, SessionId, UserId
from robosignal.server.core.conditional_writes import Put
from robosignal.server.core.records import Connection, Robot, Session, robot_from_item
from tests.server.core.conditions.every_case import CASES

NOW = 1_800_000_000_000
R1, ANN = RobotId("r1"), UserId("ann")
C1, C2 = ConnectionId("c1="), ConnectionId("c2=")
ROW = Connection(connection_id=C1, user_id=ANN, ts=NOW, expires_at=NOW + 1, ttl=1)
HELD = Session(
    session_id=SessionId("r1:held"),
    user_id=ANN,
    name="Ann",
    connection_id=C1,
    connected_at=NOW,
    dialect="v1",
    expires_at=NOW + 1,
    until=NOW,
)
VIEWING = structs.replace(HELD, session_id=SessionId("r1:viewing"), connection_id=C2)
ROBOT = Robot(
    robot_id=R1,
    owner_user_id=ANN,
    connection_id=ConnectionId("robot="),
    presence_until=NOW + 2,
    expires_at=NOW + 2,
    controller=HELD,
    viewers={VIEWING.session_id: VIEWING},
)


@pytest.mark.parametrize("group", ["ADMIN", "ADMINS", "admin", "Admins", "aDMINs"])
def test_an_admin_is_in_one_of_two_groups(group: str) -> None:
    """In any letter case, among others."""
    assert structs.replace(ROW, groups=("drivers", group)).is_admin


@pytest.mark.parametrize("groups", [(), ("administrators",), ("admin ",), ("admi", "n")])
def test_no_one_else_is_an_admin(groups: tuple[str, ...]) -> None:
    """Names that begin so are others."""
    assert not structs.replace(ROW, groups=groups).is_admin


@pytest.mark.parametrize("group", ["adm\u0131ns", "admin\u017f", "ADM\u0131N", "\u0410DMIN"])
def test_letters_that_only_become_those_of_an_admin_are_others(group: str) -> None:
    """A dotless i and a long s are ASCII letters in upper case, and name another group."""
    assert not structs.replace(ROW, groups=(group,)).is_admin


@pytest.mark.parametrize(
    ("changes", "settled"),
    [
        ({}, False),
        ({"dialect": "v1"}, True),
        ({"robot_id": R1}, True),
        ({"sessions": frozenset({SessionId("r1:x")})}, True),
    ],
    ids=["new", "v1", "a robot", "in a session"],
)
def test_a_dialect_is_settled_by_its_use(changes: dict[str, Any], settled: bool) -> None:  # noqa: FBT001 - an outcome
    """Until then a seed connection may still ask for v1."""
    assert structs.replace(ROW, **changes).is_settled is settled


def test_a_person_is_the_user_with_the_tokens_name() -> None:
    """Nothing else of a row or a session is shown to others."""
    assert structs.replace(ROW, name="Ann").person == Person(ANN, "Ann")
    assert ROW.person == Person(ANN)
    assert HELD.person == Person(ANN, "Ann")


@pytest.mark.parametrize(
    ("changes", "online"),
    [
        ({}, True),
        ({"connection_id": None}, False),
        ({"presence_until": NOW}, False),
        ({"presence_until": NOW + 1}, True),
        ({"expires_at": NOW}, False),
        ({"presence_until": 0}, False),
    ],
    ids=["present", "gone", "lapsed", "about to lapse", "token expired", "never renewed"],
)
def test_a_robot_is_online_while_its_lease_and_token_last(
    changes: dict[str, Any],
    online: bool,  # noqa: FBT001 - an outcome
) -> None:
    """And while it has a connection at all."""
    assert structs.replace(ROBOT, **changes).is_online(NOW) is online


@pytest.mark.parametrize(
    ("left_ms", "seconds"), [(-1, 0), (0, 0), (999, 0), (1000, 1), (60_000, 60), (60_999, 60)]
)
def test_a_right_lasts_as_long_as_its_token(left_ms: int, seconds: int) -> None:
    """In whole seconds, rounded down: a robot that counts them never goes beyond its end."""
    assert structs.replace(HELD, expires_at=NOW + left_ms).right_seconds(NOW) == seconds


def test_a_lease_is_held_to_its_last_millisecond() -> None:
    """Free is what is past; the write's condition says the same."""
    assert ROBOT.holder(NOW) == HELD
    assert ROBOT.holder(NOW + 1) is None
    assert structs.replace(ROBOT, controller=None).holder(NOW) is None


def test_sessions_come_with_their_roles_the_holders_first() -> None:
    """Also without a holder, or without viewers."""
    assert list(ROBOT.sessions()) == [(HELD, "controller"), (VIEWING, "viewer")]
    assert list(structs.replace(ROBOT, controller=None).sessions()) == [(VIEWING, "viewer")]
    assert list(structs.replace(ROBOT, viewers={}).sessions()) == [(HELD, "controller")]


def test_a_session_is_found_by_its_id() -> None:
    """With its role; None for one that has ended."""
    assert ROBOT.session(HELD.session_id) == (HELD, "controller")
    assert ROBOT.session(VIEWING.session_id) == (VIEWING, "viewer")
    assert ROBOT.session(SessionId("r1:ended")) is None


def test_a_session_is_found_by_its_connection() -> None:
    """A connection has at most one with a robot."""
    assert ROBOT.session_at(C1) == (HELD, "controller")
    assert ROBOT.session_at(C2) == (VIEWING, "viewer")
    assert ROBOT.session_at(ConnectionId("robot=")) is None


@pytest.mark.parametrize(
    ("stored", "until"),
    [
        ({"leaseUntil": NOW}, NOW),
        ({"presenceUntil": NOW}, NOW),
        ({"presenceUntil": NOW - 1, "leaseUntil": NOW}, NOW),
        ({"presenceUntil": NOW, "leaseUntil": NOW - 1}, NOW),
        ({}, 0),
    ],
)
def test_presence_ends_when_the_later_of_its_two_names_says(
    stored: dict[str, int], until: int
) -> None:
    """Versions that run side by side during an upgrade renew the one that they know."""
    item = {"robotId": "r1", "ownerUserId": "ann", **stored}

    assert robot_from_item(item).presence_until == until


def test_each_write_to_presence_is_read_alike_by_both_versions() -> None:
    """A robot that is online stays so after a rollback."""
    writes = [several[0].write for several in CASES.values()]
    puts = [{p.path: p for p in write.then if isinstance(p, Put)} for write in writes]
    both = [(each.get(("presenceUntil",)), each.get(("leaseUntil",))) for each in puts]
    written = [pair for pair in both if pair != (None, None)]

    assert written
    assert all(new and old and new.value == old.value for new, old in written)
