"""Which robots a user may see, and what is said of each.

Presence is derived as it is read, never stored; what is said of it holds so many seconds.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, Forbidden, Unauthorized
from robosignal.protocol.frames import Ack, Person, Presence, Relation, RobotEntry, RobotsReply
from robosignal.protocol.ids import RobotId
from robosignal.protocol.messages import Robots, Unwatch, Watch
from robosignal.server.core.records import FLEET_SHARDS, Connection, Robot
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    ConditionFailed,
    Flow,
    ListFleet,
    ListOwned,
    ListShared,
    list_page,
    read_robots,
    write_connection,
)
from robosignal.server.core.writes import connections


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


def list_robots(request: Request, message: Robots) -> Flow[RobotsReply]:
    """Answer with what the sender may see, a page at a time."""
    if message.robot_ids is not None:
        asked = tuple(dict.fromkeys(message.robot_ids))
        return RobotsReply(robots=(yield from _read_entries(request, asked)))
    if message.all and not request.sender.is_admin:
        raise Forbidden(None, "only an admin lists every robot")
    parts = FLEET if message.all else MINE
    return (yield from _read_page(request, parts, _decode_cursor(message.cursor, parts)))


def _read_page(request: Request, parts: tuple[str, ...], start: Cursor) -> Flow[RobotsReply]:
    """Gather one page, from as many parts as it takes."""
    entries: list[RobotEntry] = []
    cursor: Cursor | None = start
    for _ in range(ROUNDS):
        if cursor is None or len(entries) >= limits.ROBOTS_PER_PAGE:
            break
        page = yield from list_page(_page_step(request, cursor, len(entries)))
        found = yield from _read_entries(request, page.robot_ids)
        # What an index says may be older than the items: those decide which list a robot is in.
        entries += [
            each for each in found if LISTED.get(cursor.part, each.relation) == each.relation
        ]
        cursor = _next_cursor(parts, cursor, page.after)
    return RobotsReply(robots=entries, cursor=None if cursor is None else _encode_cursor(cursor))


def _page_step(request: Request, cursor: Cursor, have: int) -> ListOwned | ListShared | ListFleet:
    user, limit = request.sender.user_id, limits.ROBOTS_PER_PAGE - have
    if cursor.part == "owned":
        return ListOwned(user, cursor.after, limit)
    if cursor.part == "shared":
        return ListShared(user, cursor.after, limit)
    return ListFleet(cursor.part, cursor.after, limit)


def _next_cursor(parts: tuple[str, ...], cursor: Cursor, after: str | None) -> Cursor | None:
    if after is not None:
        return Cursor(cursor.part, after)
    rest = parts[parts.index(cursor.part) + 1 :]
    return Cursor(rest[0]) if rest else None


def _encode_cursor(cursor: Cursor) -> str:
    return urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


_KEY = re.compile(limits.ID_PATTERN)


def _decode_cursor(text: str | None, parts: tuple[str, ...]) -> Cursor:
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


def _read_entries(request: Request, robot_ids: tuple[RobotId, ...]) -> Flow[list[RobotEntry]]:
    if not robot_ids:
        return []
    found = yield from read_robots(robot_ids)
    related = ((robot, relation_name(request.sender, robot)) for robot in found)
    return [robot_entry(request, robot, how) for robot, how in related if how is not None]


def relation_name(user: Connection, robot: Robot) -> Relation | None:
    """Return what the user is to the robot: owner, operator, admin, or None for a stranger."""
    if robot.owner_user_id == user.user_id:
        return "owner"
    if user.user_id in robot.operators:
        return "operator"
    return "admin" if user.is_admin else None


def robot_entry(request: Request, robot: Robot, how: Relation) -> RobotEntry:
    """Return what is said of a robot to a user who may see it."""
    online = robot.is_online(request.now)
    held = robot.holder(request.now) if online else None
    own = robot.owner_user_id == request.sender.user_id
    return RobotEntry(
        robot_id=robot.robot_id,
        online=online,
        valid_for_seconds=validity_seconds(robot, request.now),
        rev=robot.rev,
        owner=Person(robot.owner_user_id, request.sender.name if own else None),
        relation=how,
        controlled_by=held.person if held else None,
        viewers=sum(not each.has_lapsed("viewer", request.now) for each in robot.viewers.values()),
        metadata=msgspec.json.decode(robot.metadata or "{}"),
        dialect=robot.dialect,
        ice_restart=robot.ice_restart,
    )


def validity_seconds(robot: Robot, now: int) -> int:
    """Return for how many seconds presence and control can be believed without news."""
    if not robot.is_online(now):
        return 0
    held = robot.holder(now)
    ends = min(robot.presence_until, robot.expires_at, held.until if held else robot.presence_until)
    return (ends - now) // 1000


ADMINS = "#admins"
"""Stands for the admins who watch every robot; no user id begins so."""


def watch(request: Request, message: Watch) -> Flow[RobotsReply]:
    """Begin to tell the sender of changes, then answer with how things stand now."""
    sender = request.sender
    if message.all and not sender.is_admin:
        raise Forbidden(None, "only an admin watches every robot")
    if sender.dialect == "seed":
        raise Forbidden(None, "a seed connection is sent nothing unasked: speak v1 to watch")
    watcher = ADMINS if message.all else sender.user_id
    me = sender.connection_id
    # First the note, then the list: a change between the two is pushed, not missed.
    if isinstance(
        (yield from write_connection(me, connections.watch(me, watcher))), ConditionFailed
    ):
        raise Unauthorized("connection is gone")
    return (yield from list_robots(request, Robots(all=message.all)))


def unwatch(request: Request, _message: Unwatch) -> Flow[Ack]:
    """Tell the sender of no more changes."""
    yield from write_connection(request.sender.connection_id, connections.unwatch())
    return Ack()


def presence_frame(robot: Robot, now: int) -> Presence:
    """Return what a watcher is told of a robot."""
    online = robot.is_online(now)
    held = robot.holder(now) if online else None
    return Presence(
        robot_id=robot.robot_id,
        rev=robot.rev,
        online=online,
        valid_for_seconds=validity_seconds(robot, now),
        controlled_by=held.person if held else None,
    )
