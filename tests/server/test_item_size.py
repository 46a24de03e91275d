"""How large a robot's item gets: DynamoDB bills a read by 4 KiB of it, and a write by 1 KiB."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from robosignal.protocol.ids import ConnectionId, RobotId, UserId, session_id
from robosignal.protocol.limits import SHARES, VIEWERS
from robosignal.server.core.conditional_writes import AllOf, apply
from robosignal.server.core.records import RobotShare, Session, robot_from_item
from robosignal.server.core.writes import ownership

NOW = 1_800_000_000_000
R1 = RobotId("rover-1")
KEYS = 3
KEY_BYTES = 230
"""A key of the robot's: a compact P-256 JWK of 130 bytes, its id of 43, who added it, and when."""

USERS = [UserId(str(UUID(int=number))) for number in range(SHARES)]
"""Cognito's user ids: UUIDs of 36 characters."""


def size_of(value: Any) -> int:
    """Return an attribute's size as DynamoDB counts it.

    Source: DynamoDB developer guide, "DynamoDB item sizes and formats".
    """
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        # One byte for two significant digits, and one more.
        return (len(str(value).rstrip("0")) + 1) // 2 + 1
    if isinstance(value, dict):
        # Three bytes for the map, and one for each pair.
        return 3 + sum(len(name.encode()) + size_of(each) + 1 for name, each in value.items())
    return sum(size_of(each) for each in value)


def item_size(item: dict[str, Any]) -> int:
    """Return an item's size in bytes: of names and values."""
    return sum(len(name.encode()) + size_of(value) for name, value in item.items())


def full_item(operators: int) -> dict[str, Any]:
    """Return the item of a robot with so many operators, a driver and all its viewers."""
    sessions = []
    for number in range(VIEWERS + 2):
        on = ConnectionId(f"JC1dgf9yoAMCK{number:02}=")
        one = Session(
            session_id=session_id(R1, on),
            user_id=USERS[number],
            name="Alice Example",
            connection_id=on,
            connected_at=NOW,
            dialect="v1",
            expires_at=NOW + 3_600_123,
            until=NOW + 60_123,
        )
        sessions.append(msgspec.to_builtins(one))
    holder, prev, *viewers = sessions
    item: dict[str, Any] = {
        "robotId": R1,
        "ownerUserId": USERS[0],
        "connectionId": "JC1dgf9yoAMCK-g=",
        "connectedAt": NOW + 1,
        "instanceId": "0123456789abcdef",
        "presenceUntil": NOW + 300_123,
        "leaseUntil": NOW + 300_123,
        "dialect": "v1",
        "expiresAt": NOW + 3_600_123,
        "iceRestart": True,
        "updatedAt": NOW + 1,
        "fleetShard": "3",
        "metadata": '{"model":"rover","place":"hall 2"}',
        "stamp": "0123456789abcdef01",
        "epoch": 123,
        "rev": NOW + 123,
        "controller": holder,
        "prev": prev,
        "viewers": {each["sessionId"]: each for each in viewers},
    }
    for number, user in enumerate(USERS[1 : operators + 1]):
        seen = robot_from_item(item)
        until = NOW + 86_400_000 if number % 5 == 0 else None
        offer = RobotShare(user, "operator", until, offered=True)
        for write in (ownership.share(offer, AllOf(()), seen), ownership.accept(offer)):
            item = apply(write, item) or item
    return item


def test_a_busy_robots_item_fits_what_a_read_is_billed_by(
    record_property: Callable[[str, object], None],
) -> None:
    """With three keys and all viewers: under 4 KiB with ten operators, under 6 KiB with all 49.

    Of UUIDs as user ids, a fifth with an end. Sessions take half of it, whatever is shared.
    """
    sizes = {count: item_size(full_item(count)) + KEYS * KEY_BYTES for count in (10, SHARES - 1)}
    record_property("figure", f"bytes of a robot's item with 10 viewers, by operators: {sizes}")

    assert len(full_item(SHARES - 1)["operators"]) == SHARES - 1
    assert sizes[10] < 4 * 1024
    assert sizes[SHARES - 1] < 6 * 1024
