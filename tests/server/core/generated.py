"""Draws robots' items, connections' rows and writes that fit them, close to every boundary.

A write's arguments come mostly from the item that it meets, so that conditions hold often and
fail by little. Only items that the rules could have left are drawn.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from robosignal.protocol.ids import ConnectionId, InstanceId, RobotId, SessionId, UserId, session_id
from robosignal.protocol.messages import Dialect
from robosignal.server.core.records import (
    Assertion,
    Code,
    Connection,
    Invitation,
    Session,
    group_key,
)

NOW = 1_800_000_000_000
ROBOT = RobotId("arm.7")
"""A dot in the id is in every session id too, where a path must not break at it."""

USERS = [UserId("ann"), UserId("bob"), UserId("cy")]
CLIENTS = [ConnectionId(f"client{n}=") for n in range(3)]
SOCKETS = [ConnectionId("socket1="), ConnectionId("socket2=")]
SESSIONS = [session_id(ROBOT, client) for client in CLIENTS]
INSTANCES = [InstanceId("run-1"), InstanceId("run-2")]

users = st.sampled_from(USERS)
grantees = st.sampled_from([*USERS, group_key("drivers")])
clients = st.sampled_from(CLIENTS)
sockets = st.sampled_from(SOCKETS)
session_ids = st.sampled_from(SESSIONS)
opened = st.sampled_from([NOW - 9000, NOW - 8000, NOW - 7000])
soon = st.sampled_from([NOW - 1, NOW, NOW + 1, NOW + 30_000, NOW + 60_000])
lapsing = st.sampled_from([NOW - 1, NOW, NOW + 60_000])
dialects: SearchStrategy[Dialect] = st.sampled_from(["v1", "v1", "seed"])


@st.composite
def sessions(
    draw: DrawFn, session: SessionId | None = None, until: SearchStrategy[int] = soon
) -> Session:
    """Draw a session: held, lapsed or in grace, on its first connection or a later one."""
    return Session(
        session_id=session or draw(session_ids),
        user_id=draw(users),
        name=draw(st.sampled_from([None, "Ann"])),
        connection_id=draw(clients),
        connected_at=draw(opened),
        dialect=draw(dialects),
        expires_at=NOW + 3_600_000,
        until=draw(until),
        lost=draw(st.sampled_from([None, None, NOW - 5])),
        group=draw(st.sampled_from([None, None, "drivers"])),
        right_until=draw(st.sampled_from([None, None, NOW + 30_000, NOW + 90_000])),
    )


def connection_rows(**fields: Any) -> SearchStrategy[Connection]:
    """Draw rows; a field given is as given."""
    drawn: dict[str, Any] = {
        "connection_id": clients,
        "user_id": users,
        "groups": st.sampled_from([(), ("drivers",), ("Admins",)]),
        "dialect": dialects,
        "ts": opened,
    }
    fixed = {name: st.just(value) for name, value in fields.items()}
    always = {"expires_at": st.just(NOW + 3_600_000), "ttl": st.just(NOW // 1000)}
    return st.builds(Connection, **(drawn | always | fixed))


KIDS = [f"{letter * 42}A" for letter in "abcde"]
JTIS = ["jti-1", "-jti.2", "jti-3"]
SECOND = NOW // 1000

kids = st.sampled_from(KIDS)
jtis = st.sampled_from(JTIS)
seconds = st.sampled_from([SECOND - 1, SECOND, SECOND + 1])


@st.composite
def key_items(draw: DrawFn) -> dict[str, Any]:
    """Draw a key as it is in an item."""
    item: dict[str, Any] = {"x": "x", "y": "y", "addedAt": NOW - 9000}
    more: dict[str, SearchStrategy[Any]] = {
        "addedBy": users,
        "notAfter": soon,
        "codeHash": st.sampled_from(CODE_HASHES),
        "pending": st.just(True),  # noqa: FBT003 - an attribute's value
        "lastUsedAt": st.just(NOW - 5),
    }
    some = st.sampled_from([True, False, False])
    return item | {name: draw(value) for name, value in more.items() if draw(some)}


@st.composite
def keys_of_items(draw: DrawFn) -> dict[str, Any]:
    """Draw what a robot with keys has: up to three, which one registered, by which assertions."""
    held = draw(st.dictionaries(kids, key_items(), max_size=3))
    item: dict[str, Any] = {"keys": held}
    if draw(often):
        item["kid"] = draw(st.sampled_from(sorted(held))) if held else draw(kids)
        item["lastIat"] = draw(seconds)
        used = {f"used-{number}": SOCKETS[0] for number in range(draw(st.sampled_from([0, 6, 7])))}
        item["assertions"] = used | {draw(jtis): draw(sockets)}
    return item


@st.composite
def assertions(draw: DrawFn, likely: Mapping[str, Any]) -> Assertion:
    """Draw an assertion, mostly by the key of this item."""
    kid = likely.get("kid") if draw(often) else None
    return Assertion(robot_id=ROBOT, kid=kid or draw(kids), iat=draw(seconds), jti=draw(jtis))


CODE_HASHES = [f"{letter * 42}A" for letter in "xy"]


@st.composite
def codes(draw: DrawFn) -> Code:
    """Draw a code with some of its uses taken."""
    ids = st.sampled_from([ROBOT, RobotId("other"), RobotId("third")])
    takers: dict[str, str] = draw(st.dictionaries(ids, kids | st.just(""), max_size=3))
    uses = max(len(takers), draw(st.integers(1, 3)))
    return Code(
        code_hash=CODE_HASHES[0],
        by_user_id=draw(users),
        for_user_id=draw(users),
        robot_id=draw(st.sampled_from([None, ROBOT])),
        pattern="arm*",
        uses=uses,
        approve=draw(st.booleans()),
        expires_at=draw(st.sampled_from([NOW, NOW + 1, NOW + 60_000, NOW + 60_000])),
        ttl=NOW // 1000,
        takers=takers,
    )


@st.composite
def invitations(draw: DrawFn, inviting: str | None) -> Invitation:
    """Draw an invitation to the robot, mostly of this owner's time."""
    valid = inviting is not None and draw(often)
    return Invitation(
        code_hash=CODE_HASHES[0],
        by_user_id=draw(users),
        robot_id=ROBOT,
        inviting=inviting if inviting is not None and valid else draw(st.sampled_from(CODE_HASHES)),
        role=draw(st.sampled_from(["operator", "viewer"])),
        until=draw(st.sampled_from([None, None, NOW + 90_000])),
        uses=3,
        expires_at=NOW + 60_000,
        ttl=NOW // 1000,
    )


@st.composite
def registered(draw: DrawFn, viewers: int) -> dict[str, Any]:
    """Draw the item of a robot that has registered at least once, with so many viewers or more."""
    item: dict[str, Any] = {
        "robotId": ROBOT,
        "ownerUserId": draw(users),
        "instanceId": draw(st.sampled_from(INSTANCES)),
        "connectedAt": draw(opened),
        "presenceUntil": draw(soon),
        "leaseUntil": draw(soon),
        "dialect": draw(dialects),
        "expiresAt": NOW + 3_600_000,
        "iceRestart": draw(st.booleans()),
        "updatedAt": NOW - 5,
        "fleetShard": "3",
        "epoch": draw(st.integers(1, 3)),
        "rev": draw(st.integers(1, 3)),
        "viewers": {
            each: msgspec.to_builtins(draw(sessions(each, lapsing)))
            for each in draw(st.lists(session_ids, min_size=viewers, max_size=2, unique=True))
        },
    }
    if draw(often):
        item["connectionId"] = draw(sockets)
    if draw(st.booleans()):
        item["controller"] = msgspec.to_builtins(draw(sessions()))
    more: dict[str, SearchStrategy[Any]] = {
        "prev": st.none() | sessions().map(msgspec.to_builtins),
        "metadata": st.just('{"model":"x"}'),
        "stamp": st.just("f00d"),
        "seenUntil": st.none() | soon,
        "inviting": st.sampled_from(CODE_HASHES),
    }
    shares = draw(shares_of_items()) if draw(often) else {}
    item |= shares | {name: draw(value) for name, value in more.items() if draw(st.booleans())}
    return item | (draw(keys_of_items()) if draw(st.booleans()) else {})


@st.composite
def shares_of_items(draw: DrawFn) -> dict[str, Any]:
    """Draw shares and offers: each user or group has one at most; some have an end."""
    found: dict[str, Any] = {}
    for each in draw(st.lists(grantees, min_size=1, max_size=3, unique=True)):
        found.setdefault(draw(st.sampled_from(SETS)), set()).add(each)
    if draw(st.booleans()):
        ends = st.sampled_from([NOW - 1, NOW, NOW + 30_000, NOW + 90_000])
        found["ends"] = draw(st.dictionaries(grantees, ends, max_size=2))
    return found


ENROLLED: dict[str, Any] = {"robotId": ROBOT, "ownerUserId": USERS[0], "fleetShard": "3"}
"""A robot that has an owner and has never registered."""

SETS = ["operators", "operators", "viewOnly", "offeredOperators", "offeredViewOnly"]

often = st.sampled_from([True, True, True, True, False])


@st.composite
def items(draw: DrawFn, viewers: int) -> dict[str, Any] | None:
    """Draw what may stand under a robot's id; None for nothing."""
    choice = registered(viewers) if draw(often) else st.sampled_from([ENROLLED, None])
    item: dict[str, Any] | None = draw(choice)
    return item
