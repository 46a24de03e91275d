"""Who may send what: every standing against every message, and the table's two readings."""

from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robosignal.protocol.ids import ConnectionId, RobotId, UserId, session_id
from robosignal.protocol.messages import (
    MESSAGES,
    Answer,
    Bye,
    DenyControl,
    Forget,
    GrantControl,
    IceCandidate,
    IceServers,
    Message,
    Offer,
    Ping,
    Ready,
    Register,
    ReleaseControl,
    RequestControl,
    Resume,
    Robots,
    Share,
    Takeover,
    Transfer,
    Unregister,
    Unshare,
    Unwatch,
    Watch,
)
from robosignal.server.core.expressions import All, Either, holds
from robosignal.server.core.policy import MAY, NOBODY, Standing, allowed, right, standings
from robosignal.server.core.records import Connection, Robot, Session
from tests.server.core.generated import connections, registered

ME, R1 = ConnectionId("me="), RobotId("r1")
ANN, BOB = UserId("ann"), UserId("bob")

# Written out once more on purpose: whoever changes a right says so twice.
ANYONE = (Ready, Ping, IceServers, Robots, Watch, Unwatch, Register, Bye)
DRIVERS = (Resume, ReleaseControl, RequestControl, GrantControl, DenyControl)
DISPOSING = (Forget, Share, Unshare, Transfer)
BOTH_ENDS = (Offer, Answer, IceCandidate)


def expected(kind: type[Message], having: frozenset[Standing]) -> bool:
    """Say who may, as the protocol's table has it."""
    drives = bool(having & {Standing.OWNER, Standing.OPERATOR, Standing.ADMIN})
    is_robot = Standing.ROBOT in having
    if kind in ANYONE:
        return True
    if kind in DRIVERS:
        return drives
    if kind in BOTH_ENDS:
        return drives or is_robot
    if kind is Unregister:
        return is_robot
    if kind in DISPOSING:
        return bool(having & {Standing.OWNER, Standing.ADMIN})
    assert kind is Takeover
    return bool(having & {Standing.OWNER, Standing.ADMIN, Standing.HOLDERS_USER})


def every_standing() -> list[frozenset[Standing]]:
    """Return every set of standings that a sender can have at once."""
    more = [each for each in Standing if each is not Standing.ANYONE]
    return [
        frozenset({Standing.ANYONE, *some})
        for size in range(len(more) + 1)
        for some in combinations(more, size)
        if Standing.HOLDERS_USER not in some or Standing.OPERATOR in some
    ]


def met(having: frozenset[Standing]) -> tuple[Connection, Robot]:
    """Return a sender and a robot to which it is exactly this."""
    sender = Connection(
        connection_id=ME,
        user_id=ANN,
        groups=("admins",) if Standing.ADMIN in having else ("drivers",),
        ts=1,
        expires_at=2,
        ttl=3,
    )
    holder = Session(
        session_id=session_id(R1, ConnectionId("other=")),
        user_id=ANN if Standing.HOLDERS_USER in having else BOB,
        connection_id=ConnectionId("other="),
        connected_at=1,
        dialect="v1",
        expires_at=2,
        until=3,
    )
    robot = Robot(
        robot_id=R1,
        owner_user_id=ANN if Standing.OWNER in having else BOB,
        operators=frozenset({ANN, BOB} if Standing.OPERATOR in having else {BOB}),
        connection_id=ME if Standing.ROBOT in having else ConnectionId("robot="),
        controller=holder,
    )
    return sender, robot


def listed(having: frozenset[Standing]) -> str:
    """Return standings as a test's id, the same in every process."""
    return "+".join(sorted(each.name for each in having))


@pytest.mark.parametrize("having", every_standing(), ids=listed)
def test_each_set_of_standings_may_what_the_table_says(having: frozenset[Standing]) -> None:
    """Every message, for all that a sender can be to a robot at once."""
    sender, robot = met(having)

    assert standings(sender, robot) == having
    for kind in MESSAGES.values():
        assert allowed(kind, sender, robot) is expected(kind, having), kind


@pytest.mark.parametrize("groups", [(), ("Admins",)], ids=["a stranger", "an admin"])
def test_a_robot_that_does_not_exist_is_nobodys(groups: tuple[str, ...]) -> None:
    """A stranger may for it what they may for any other; an admin, who may know, more."""
    sender, _ = met(frozenset({Standing.ANYONE}))
    sender = msgspec.structs.replace(sender, groups=groups)
    having = frozenset({Standing.ANYONE} | ({Standing.ADMIN} if groups else set()))

    for kind in MESSAGES.values():
        assert allowed(kind, sender, None) is expected(kind, having), kind


def test_a_stranger_is_refused_alike_whether_the_robot_exists() -> None:
    """So a refusal tells nothing about who owns what."""
    sender, robot = met(frozenset({Standing.ANYONE}))

    for kind in MESSAGES.values():
        assert allowed(kind, sender, robot) is allowed(kind, sender, None)


def test_what_is_not_in_the_table_is_refused() -> None:
    """To everybody, admins too."""

    class Unheard(Message, frozen=True, kw_only=True, tag="unheard"):
        """A message that nobody has given a right to."""

    sender, robot = met(frozenset(Standing))

    assert allowed(Unheard, sender, robot) is False
    assert right(Unheard, sender) == Either(())
    assert not holds(right(Unheard, sender), {"ownerUserId": ANN})
    assert frozenset() == NOBODY


def test_nobody_but_those_who_drive_has_a_condition() -> None:
    """A robot's own right is no condition: it is its connection that every write compares."""
    sender, _ = met(frozenset({Standing.ANYONE}))

    assert right(Unregister, sender) == Either(())


def test_an_admins_right_is_no_condition_at_all() -> None:
    """Where admins may; where they may not, they need what others need."""
    admin, _ = met(frozenset({Standing.ANYONE, Standing.ADMIN}))

    assert right(Offer, admin) == All(())
    assert right(Unregister, admin) == Either(())


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_both_readings_of_a_right_agree(data: st.DataObject) -> None:
    """What `allowed` says of an item that was read, the condition says of the item itself."""
    item: dict[str, Any] = data.draw(registered(0))
    sender = data.draw(connections())
    robot = msgspec.convert(item, Robot)

    for kind, may in MAY.items():
        if may == {Standing.ANYONE} or Standing.ROBOT in standings(sender, robot):
            continue
        assert holds(right(kind, sender), item) is allowed(kind, sender, robot), kind
