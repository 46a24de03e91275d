"""Which robots a user may see, and what is said of each.

Presence is derived as it is read, never stored; what is said of it holds so many seconds.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, Forbidden
from robosignal.protocol.frames import Person, Relation, RobotEntry, RobotsReply
from robosignal.protocol.ids import RobotId
from robosignal.protocol.messages import Robots
from robosignal.server.core.records import FLEET_SHARDS, Connection, Robot
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    Flow,
    ListFleet,
    ListOwned,
    ListShared,
    list_page,
    read_robots,
)


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """How far a list was read: which of its parts, and after which key there."""

    part: str
    after: str | None = None


MINE = ("owned", "shared")
LISTED: dict[str, Relation] = {"owned": "owner", "shared": "operator"}
"""What the user is to the robots of each part; an admin lists the fleet whatever they are."""

ROUNDS = 20
"""So often an index is asked for one page; with little found by then, the page is a short one."""

FLEET = tuple(str(shard) for shard in range(FLEET_SHARDS))


def robots(request: Request, message: Robots) -> Flow[RobotsReply]:
    """Answer with what the sender may see, a page at a time."""
    if message.robot_ids is not None:
        asked = tuple(dict.fromkeys(message.robot_ids))
        return RobotsReply(robots=(yield from _entries(request, asked)))
    if message.all and not request.sender.is_admin:
        raise Forbidden(None, "only an admin lists every robot")
    parts = FLEET if message.all else MINE
    return (yield from _page(request, parts, _read(message.cursor, parts)))


def _page(request: Request, parts: tuple[str, ...], start: Cursor) -> Flow[RobotsReply]:
    """Gather one page, from as many parts as it takes."""
    entries: list[RobotEntry] = []
    cursor: Cursor | None = start
    for _ in range(ROUNDS):
        if cursor is None or len(entries) >= limits.ROBOTS_PER_PAGE:
            break
        page = yield from list_page(_asking(request, cursor, len(entries)))
        found = yield from _entries(request, page.robot_ids)
        # What an index says may be older than the items: those decide which list a robot is in.
        entries += [
            each for each in found if LISTED.get(cursor.part, each.relation) == each.relation
        ]
        cursor = _next(parts, cursor, page.after)
    return RobotsReply(robots=entries, cursor=None if cursor is None else _written(cursor))


def _asking(request: Request, cursor: Cursor, have: int) -> ListOwned | ListShared | ListFleet:
    user, limit = request.sender.user_id, limits.ROBOTS_PER_PAGE - have
    if cursor.part == "owned":
        return ListOwned(user, cursor.after, limit)
    if cursor.part == "shared":
        return ListShared(user, cursor.after, limit)
    return ListFleet(cursor.part, cursor.after, limit)


def _next(parts: tuple[str, ...], cursor: Cursor, after: str | None) -> Cursor | None:
    if after is not None:
        return Cursor(cursor.part, after)
    rest = parts[parts.index(cursor.part) + 1 :]
    return Cursor(rest[0]) if rest else None


def _written(cursor: Cursor) -> str:
    return urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


_KEY = re.compile(limits.ID_PATTERN)


def _read(text: str | None, parts: tuple[str, ...]) -> Cursor:
    """Read a cursor. Raise BadMessage if it is not one that such a list gave."""
    if text is None:
        return Cursor(parts[0])
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        cursor = msgspec.json.decode(raw, type=Cursor)
    except ValueError as error:
        raise BadMessage("cursor", "must be a cursor from an earlier reply") from error
    if cursor.part not in parts or not (cursor.after is None or _KEY.search(cursor.after)):
        raise BadMessage("cursor", "must be a cursor from an earlier reply to the same question")
    return cursor


def _entries(request: Request, robot_ids: tuple[RobotId, ...]) -> Flow[list[RobotEntry]]:
    if not robot_ids:
        return []
    found = yield from read_robots(robot_ids)
    related = ((robot, relation(request.sender, robot)) for robot in found)
    return [entry(request, robot, how) for robot, how in related if how is not None]


def relation(user: Connection, robot: Robot) -> Relation | None:
    """Return what the user is to the robot: owner, operator, admin, or None for a stranger."""
    if robot.owner_user_id == user.user_id:
        return "owner"
    if user.user_id in robot.operators:
        return "operator"
    return "admin" if user.is_admin else None


def entry(request: Request, robot: Robot, how: Relation) -> RobotEntry:
    """Return what is said of a robot to a user who may see it."""
    online = robot.is_online(request.now)
    held = robot.holder(request.now) if online else None
    own = robot.owner_user_id == request.sender.user_id
    return RobotEntry(
        robot_id=robot.robot_id,
        online=online,
        valid_for_seconds=valid_for(robot, request.now),
        rev=robot.rev,
        owner=Person(robot.owner_user_id, request.sender.name if own else None),
        relation=how,
        controlled_by=held.person if held else None,
        viewers=sum(not each.has_lapsed("viewer", request.now) for each in robot.viewers.values()),
        metadata=msgspec.json.decode(robot.metadata or "{}"),
        dialect=robot.dialect,
        ice_restart=robot.ice_restart,
    )


def valid_for(robot: Robot, now: int) -> int:
    """Return for how many seconds presence and control can be believed without news."""
    if not robot.is_online(now):
        return 0
    held = robot.holder(now)
    ends = min(robot.presence_until, robot.expires_at, held.until if held else robot.presence_until)
    return (ends - now) // 1000
