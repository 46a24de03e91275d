"""Each condition of a write that takes or keeps control, broken alone, refuses it.

Flows look before they write, so a scenario rarely meets these: they are for what changes
between the look and the write.
"""

from typing import Any

import msgspec
import pytest

from signaling.core.expressions import Write, holds
from signaling.core.policy import right
from signaling.core.records import Connection, Session
from signaling.core.writes import lease, places
from signaling.wire.ids import ConnectionId, RobotId, SessionId, UserId, session_id
from signaling.wire.messages import Offer, Takeover

NOW = 1_800_000_000_000
ROBOT, MINE, OTHERS = ConnectionId("robot="), ConnectionId("mine="), ConnectionId("others=")
OLGA, EVE = UserId("olga"), UserId("eve")
SENDER = Connection(connection_id=MINE, user_id=OLGA, ts=NOW, expires_at=NOW + 1000, ttl=1)

Item = dict[str, Any]


def session(connection: ConnectionId = MINE, user: UserId = OLGA, **fields: Any) -> Session:
    """Return a session as it stands in the item."""
    return Session(
        session_id=session_id(RobotId("r1"), connection),
        user_id=user,
        connection_id=connection,
        connected_at=NOW - 1000,
        dialect="v1",
        expires_at=NOW + 3_600_000,
        until=fields.pop("until", NOW + 60_000),
        **fields,
    )


def held(by: Session | None) -> Item:
    """Return a robot that an operator, olga, may drive, held by this session."""
    found: Item = {
        "robotId": "r1",
        "ownerUserId": "ann",
        "operators": {OLGA},
        "connectionId": ROBOT,
        "dialect": "v1",
        "epoch": 3,
        "rev": 3,
        "viewers": {},
    }
    return found if by is None else found | {"controller": msgspec.to_builtins(by)}


def viewed(item: Item, by: Session) -> Item:
    """Return the item with one viewer."""
    return item | {"viewers": {by.session_id: msgspec.to_builtins(by)}}


MAY = right(Offer, SENDER)
MAY_TAKE = right(Takeover, SENDER)
ME, OTHER = session(), session(OTHERS, EVE)
LAPSED, AGAIN = session(until=NOW - 1), session(until=NOW + 60_000)
OWN_ELSEWHERE = session(OTHERS, OLGA)
VIEWED = viewed(held(None), ME)

TAKING = {
    "acquire": (lease.acquire(ME, MAY, NOW), held(None)),
    "acquire_among_viewers": (lease.acquire_among_viewers(ME, MAY, NOW), held(None)),
    "acquire_as_viewer": (lease.acquire_as_viewer(ME, MAY, NOW), VIEWED),
    "acquire_again": (lease.acquire_again(AGAIN, MAY, NOW), held(LAPSED)),
    "take_over": (lease.take_over(ME, MAY_TAKE), held(OWN_ELSEWHERE)),
    "take_over_among_viewers": (
        lease.take_over_among_viewers(ME, MAY_TAKE),
        held(OWN_ELSEWHERE),
    ),
    "take_over_as_viewer": (
        lease.take_over_as_viewer(ME, MAY_TAKE),
        viewed(held(OWN_ELSEWHERE), ME),
    ),
    "take_place": (places.take(ME, MAY, 10), held(None)),
}
"""Each write, and an item that it is right for."""


@pytest.mark.parametrize(("write", "item"), TAKING.values(), ids=TAKING)
def test_each_is_right_for_its_item(write: Write, item: Item) -> None:
    """Otherwise the refusals below would show nothing."""
    assert holds(write.when, item)


@pytest.mark.parametrize(("write", "item"), TAKING.values(), ids=TAKING)
def test_none_takes_a_robot_without_a_connection(write: Write, item: Item) -> None:
    """It went offline meanwhile."""
    gone = {name: value for name, value in item.items() if name != "connectionId"}

    assert not holds(write.when, gone)


@pytest.mark.parametrize(("write", "item"), TAKING.values(), ids=TAKING)
def test_none_takes_what_its_sender_lost_the_right_to(write: Write, item: Item) -> None:
    """The robot is not shared with the sender any more."""
    assert not holds(write.when, item | {"operators": {"somebody"}})


@pytest.mark.parametrize(
    "name",
    ["acquire", "acquire_among_viewers", "take_over", "take_over_among_viewers", "take_place"],
)
def test_none_lets_a_robot_drive_itself(name: str) -> None:
    """The sender's connection has registered as this very robot meanwhile."""
    write, item = TAKING[name]

    assert not holds(write.when, item | {"connectionId": MINE})


@pytest.mark.parametrize("name", ["acquire", "acquire_among_viewers", "acquire_as_viewer"])
def test_none_acquires_what_another_holds(name: str) -> None:
    """Somebody else was first; so was the sender itself, by another message of its own."""
    write, item = TAKING[name]

    for holder in (OTHER, ME, LAPSED):
        assert not holds(write.when, item | {"controller": msgspec.to_builtins(holder)})


@pytest.mark.parametrize("name", ["acquire", "acquire_among_viewers", "acquire_as_viewer"])
def test_what_has_lapsed_or_is_the_same_users_in_grace_may_be_acquired(name: str) -> None:
    """But not another's in grace, nor the same user's that is not lost."""
    write, item = TAKING[name]
    lost = {"lost": NOW - 5}
    ways = {
        True: (session(OTHERS, EVE, until=NOW - 1), session(OTHERS, OLGA, **lost)),
        False: (session(OTHERS, EVE, **lost), OWN_ELSEWHERE),
    }

    for free, holders in ways.items():
        for holder in holders:
            found = holds(write.when, item | {"controller": msgspec.to_builtins(holder)})
            assert found is free, holder


@pytest.mark.parametrize("name", ["acquire", "take_over"])
def test_what_is_written_sight_unseen_wants_no_viewers(name: str) -> None:
    """One of them could be the sender."""
    write, item = TAKING[name]

    assert not holds(write.when, viewed(item, OTHER))


@pytest.mark.parametrize("name", ["acquire_as_viewer", "take_over_as_viewer"])
def test_a_viewers_session_that_moved_or_ended_takes_nothing(name: str) -> None:
    """Another connection has resumed it, or it is gone."""
    write, item = TAKING[name]
    moved = msgspec.to_builtins(session(OTHERS, OLGA))

    assert not holds(write.when, item | {"viewers": {}})
    assert not holds(write.when, item | {"viewers": {ME.session_id: moved}})


@pytest.mark.parametrize("name", ["take_over", "take_over_among_viewers", "take_over_as_viewer"])
def test_a_holder_does_not_displace_itself(name: str) -> None:
    """A takeover that is repeated changes nothing."""
    write, item = TAKING[name]

    assert not holds(write.when, item | {"controller": msgspec.to_builtins(ME)})


@pytest.mark.parametrize(
    "holder",
    [session(until=NOW + 1), session(OTHERS, OLGA, until=NOW - 1)],
    ids=["it has not lapsed", "it has moved to another connection"],
)
def test_only_ones_own_lapsed_lease_is_acquired_again(holder: Session) -> None:
    """Whoever holds meanwhile keeps it."""
    write, _ = TAKING["acquire_again"]
    same = msgspec.structs.replace(holder, session_id=SessionId(ME.session_id))

    assert not holds(write.when, held(same))
