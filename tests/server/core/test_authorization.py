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
    Accept,
    AcceptShare,
    Answer,
    ApproveKey,
    Bye,
    CreateCode,
    DenyControl,
    Enroll,
    Forget,
    GrantControl,
    History,
    IceCandidate,
    IceServers,
    Invite,
    Keys,
    LeaveShare,
    Message,
    Offer,
    Ping,
    Ready,
    Register,
    ReleaseControl,
    RequestControl,
    Resume,
    RevokeKey,
    Robots,
    RotateKey,
    Share,
    Shares,
    Takeover,
    Transfer,
    Unregister,
    Unshare,
    Unwatch,
    Watch,
)
from robosignal.server.core.authorization import (
    NO_RELATIONS,
    PERMISSIONS,
    Relation,
    condition_for,
    find_relations,
    find_share,
    is_allowed,
)
from robosignal.server.core.conditional_writes import AllOf, AnyOf, evaluate
from robosignal.server.core.records import Connection, Robot, Session, group_key
from tests.server.core.generated import NOW, connection_rows, registered

ME, R1 = ConnectionId("me="), RobotId("r1")
ANN, BOB = UserId("ann"), UserId("bob")

# Written out once more on purpose: a change of a right has to be made twice.
ANYONE = (
    Ready,
    Ping,
    IceServers,
    Robots,
    Watch,
    Unwatch,
    Register,
    Bye,
    Enroll,
    CreateCode,
    AcceptShare,
    Accept,
    LeaveShare,
)
DRIVERS = (ReleaseControl, RequestControl, GrantControl, DenyControl)
DISPOSING = (
    Forget,
    Share,
    Unshare,
    Shares,
    Invite,
    Transfer,
    Keys,
    RevokeKey,
    ApproveKey,
    History,
)
BOTH_ENDS = (Offer, Answer, IceCandidate)


def expected(kind: type[Message], having: frozenset[Relation]) -> bool:
    """Say who may, as the protocol's table has it."""
    drives = bool(having & {Relation.OWNER, Relation.OPERATOR, Relation.ADMIN})
    views = drives or Relation.VIEWER in having
    is_robot = Relation.ROBOT in having
    if kind in ANYONE:
        return True
    if kind in DRIVERS:
        return drives
    if kind in BOTH_ENDS:
        return views or is_robot
    if kind is Resume:
        return views
    if kind in (Unregister, RotateKey):
        return is_robot
    assert kind in (*DISPOSING, Takeover)
    decides = {Relation.OWNER, Relation.ADMIN}
    return bool(having & (decides | {Relation.HOLDERS_USER} if kind is Takeover else decides))


def every_standing() -> list[frozenset[Relation]]:
    """Return every set of standings that a sender can have at once."""
    more = [each for each in Relation if each is not Relation.ANYONE]
    return [
        frozenset({Relation.ANYONE, *some})
        for size in range(len(more) + 1)
        for some in combinations(more, size)
        if Relation.HOLDERS_USER not in some or Relation.OPERATOR in some
        # A user's own share is of one role; the other comes from a group.
    ]


def met(having: frozenset[Relation]) -> tuple[Connection, Robot]:
    """Return a sender and a robot to which it is exactly this."""
    sender = Connection(
        connection_id=ME,
        user_id=ANN,
        groups=("admins", "guests") if Relation.ADMIN in having else ("drivers", "guests"),
        ts=1,
        expires_at=2,
        ttl=3,
    )
    holder = Session(
        session_id=session_id(R1, ConnectionId("other=")),
        user_id=ANN if Relation.HOLDERS_USER in having else BOB,
        connection_id=ConnectionId("other="),
        connected_at=1,
        dialect="v1",
        expires_at=2,
        until=3,
    )
    robot = Robot(
        robot_id=R1,
        owner_user_id=ANN if Relation.OWNER in having else BOB,
        operators=frozenset({ANN, BOB} if Relation.OPERATOR in having else {BOB}),
        view_only=frozenset({group_key("guests")} if Relation.VIEWER in having else ()),
        connection_id=ME if Relation.ROBOT in having else ConnectionId("robot="),
        controller=holder,
    )
    return sender, robot


def listed(having: frozenset[Relation]) -> str:
    """Return standings as a test's id, the same in every process."""
    return "+".join(sorted(each.name for each in having))


@pytest.mark.parametrize("having", every_standing(), ids=listed)
def test_each_set_of_standings_may_what_the_table_says(having: frozenset[Relation]) -> None:
    """Every message, for all that a sender can be to a robot at once."""
    sender, robot = met(having)

    assert find_relations(sender, robot, NOW) == having
    for kind in MESSAGES.values():
        assert is_allowed(kind, sender, robot, NOW) is expected(kind, having), kind


@pytest.mark.parametrize("groups", [(), ("Admins",)], ids=["a stranger", "an admin"])
def test_a_robot_that_does_not_exist_is_nobodys(groups: tuple[str, ...]) -> None:
    """A stranger may for it what they may for any other; an admin, who may know, more."""
    sender, _ = met(frozenset({Relation.ANYONE}))
    sender = msgspec.structs.replace(sender, groups=groups)
    having = frozenset({Relation.ANYONE} | ({Relation.ADMIN} if groups else set()))

    for kind in MESSAGES.values():
        assert is_allowed(kind, sender, None, NOW) is expected(kind, having), kind


def test_a_stranger_is_refused_alike_whether_the_robot_exists() -> None:
    """So a refusal tells nothing about who owns what."""
    sender, robot = met(frozenset({Relation.ANYONE}))

    for kind in MESSAGES.values():
        assert is_allowed(kind, sender, robot, NOW) is is_allowed(kind, sender, None, NOW)


def test_what_is_not_in_the_table_is_refused() -> None:
    """To everybody, admins too."""

    class Unheard(Message, frozen=True, kw_only=True, tag="unheard"):
        """A message that no right covers."""

    sender, robot = met(frozenset(Relation))

    assert is_allowed(Unheard, sender, robot, NOW) is False
    assert condition_for(Unheard, sender) == AnyOf(())
    assert not evaluate(condition_for(Unheard, sender), {"ownerUserId": ANN})
    assert frozenset() == NO_RELATIONS


def test_only_messages_that_drive_have_a_condition() -> None:
    """A robot's own right is no condition: it is its connection that every write compares."""
    sender, _ = met(frozenset({Relation.ANYONE}))

    assert condition_for(Unregister, sender) == AnyOf(())


def test_an_admins_right_is_no_condition_at_all() -> None:
    """Where admins may; where they may not, they need what others need."""
    admin, _ = met(frozenset({Relation.ANYONE, Relation.ADMIN}))

    assert condition_for(Offer, admin) == AllOf(())
    assert condition_for(Unregister, admin) == AnyOf(())


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_both_readings_of_a_right_agree(data: st.DataObject) -> None:
    """What `is_allowed` says of an item that was read, the condition says of the item itself."""
    item: dict[str, Any] = data.draw(registered(0))
    sender = data.draw(connection_rows())
    robot = msgspec.convert(item, Robot)

    for kind, may in PERMISSIONS.items():
        if may == {Relation.ANYONE} or Relation.ROBOT in find_relations(sender, robot, NOW):
            continue
        share = find_share(sender, robot, NOW, drive=Relation.VIEWER not in may)
        assert evaluate(condition_for(kind, sender, share), item) is is_allowed(
            kind, sender, robot, NOW
        ), kind
