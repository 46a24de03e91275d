"""Which robots a user may see, and what the user is told of each: `robots`, `watch`, `unwatch`.

Whether a robot is online is derived from its item as it is read. Every answer says for how many
seconds it is valid.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
from msgspec import structs

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, Forbidden, Unauthorized
from robosignal.protocol.frames import (
    Ack,
    KeysSummary,
    OfferedEntry,
    Person,
    Presence,
    RelationName,
    RobotEntry,
    RobotsReply,
)
from robosignal.protocol.ids import RobotId, UserId
from robosignal.protocol.messages import Dialect, Robots, Unwatch, Watch
from robosignal.server.core.authorization import find_share, find_shares
from robosignal.server.core.records import (
    FLEET_SHARDS,
    Connection,
    Robot,
    group_key,
    group_of,
    offer_key,
)
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    ConditionFailed,
    DropGroupWatch,
    Flow,
    ListFleet,
    ListOwned,
    ListShared,
    NoteGroupWatch,
    list_page,
    perform_all,
    read_robots,
    write_connection,
)
from robosignal.server.core.writes import connections


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """How far a list has been read: which of its parts, and after which key of that part."""

    part: str
    after: str | None = None


OWNED, SHARED = "owned", "shared"
"""The parts of a user's list, before one for each group, which has the group's key."""

ROUNDS = 20
"""How many pages of an index are read for one reply. If they hold few robots, it is a short one."""

FLEET = tuple(str(shard) for shard in range(FLEET_SHARDS))

ADMINS = "#admins"
"""The key of the index `watchers` for admins who watch every robot. No user id begins with `#`."""


def list_robots(request: Request, message: Robots) -> Flow[RobotsReply]:
    """Reply with robots that the sender may see: those named, or one page of all.

    Raise Forbidden if `all` is asked for by someone who is no admin; BadMessage for a bad cursor.
    """
    if message.robot_ids is not None:
        asked = tuple(dict.fromkeys(message.robot_ids))
        return RobotsReply(robots=(yield from _read_entries(request, asked)))
    if message.all and not request.sender.is_admin:
        raise Forbidden(None, "only an admin lists every robot")
    parts = FLEET if message.all else _own_parts(request.sender)
    reply = yield from _read_page(request, parts, _decode_cursor(message.cursor, parts))
    if message.cursor is not None:
        return reply
    return structs.replace(reply, offered=(yield from _read_offers(request)))


def _own_parts(sender: Connection) -> tuple[str, ...]:
    return (OWNED, SHARED, *map(group_key, sender.groups))


def watch(request: Request, message: Watch) -> Flow[RobotsReply]:
    """Begin to send the sender changes of robots, then reply with their present state.

    Raise Forbidden for a seed connection, or if `all` is asked for by someone who is no admin.
    """
    sender = request.sender
    if message.all and not sender.is_admin:
        raise Forbidden(None, "only an admin watches every robot")
    if sender.dialect == "seed":
        raise Forbidden(None, "a seed connection is sent nothing unasked: speak v1 to watch")
    watcher = ADMINS if message.all else sender.user_id
    me = sender.connection_id
    # Noted before listing, so that a change between the two is pushed and not missed.
    groups = () if message.all else sender.groups
    yield from perform_all(NoteGroupWatch(me, each, sender.expires_at) for each in groups)
    outcome = yield from write_connection(me, connections.watch(me, watcher))
    if isinstance(outcome, ConditionFailed):
        raise Unauthorized("connection is gone")
    return (yield from list_robots(request, Robots(all=message.all)))


def unwatch(request: Request, _message: Unwatch) -> Flow[Ack]:
    """Stop sending the sender changes of robots."""
    me, groups = request.sender.connection_id, request.sender.groups
    yield from write_connection(me, connections.unwatch())
    yield from perform_all(DropGroupWatch(me, each) for each in groups)
    return Ack()


def _read_offers(request: Request) -> Flow[list[OfferedEntry]]:
    """Return the first offers to the sender; their next page is what is left when some are."""
    user = request.sender.user_id
    page = yield from list_page(ListShared(offer_key(user), None, limits.ROBOTS_PER_PAGE))
    robots = (yield from read_robots(page.robot_ids)) if page.robot_ids else []
    found = ((robot, robot.share_with(user, request.now)) for robot in robots)
    return [
        OfferedEntry(
            robot_id=robot.robot_id,
            owner=Person(robot.owner_user_id),
            role=offer.role,
            until=offer.until,
        )
        for robot, offer in found
        if offer is not None and offer.offered
    ]


def _read_page(request: Request, parts: tuple[str, ...], start: Cursor) -> Flow[RobotsReply]:
    """Read one page, from as many parts as it takes."""
    entries: list[RobotEntry] = []
    cursor: Cursor | None = start
    for _ in range(max(ROUNDS, len(parts))):
        if cursor is None or len(entries) >= limits.ROBOTS_PER_PAGE:
            break
        page = yield from list_page(_page_step(request, cursor, len(entries)))
        # An index may lag behind the items, so the items decide which part a robot belongs to.
        entries += yield from _read_entries(request, page.robot_ids, cursor.part)
        cursor = _next_cursor(parts, cursor, page.after)
    return RobotsReply(robots=entries, cursor=None if cursor is None else _encode_cursor(cursor))


def _page_step(request: Request, cursor: Cursor, have: int) -> ListOwned | ListShared | ListFleet:
    user, limit = request.sender.user_id, limits.ROBOTS_PER_PAGE - have
    if cursor.part == OWNED:
        return ListOwned(user, cursor.after, limit)
    if cursor.part == SHARED:
        return ListShared(user, cursor.after, limit)
    if group_of(UserId(cursor.part)) is not None:
        return ListShared(UserId(cursor.part), cursor.after, limit)
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
    """Return the cursor. Raise BadMessage if it does not come from such a list."""
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


def _read_entries(
    request: Request, robot_ids: tuple[RobotId, ...], part: str | None = None
) -> Flow[list[RobotEntry]]:
    """Return the entries of robots that the sender may see; of those in one part of its list."""
    if not robot_ids:
        return []
    robots = yield from read_robots(robot_ids)
    found = [
        robot_entry(request, robot, relation)
        for robot in robots
        if (relation := relation_to(request.sender, robot, request.now)) is not None
        and (part is None or part in FLEET or part == _part_of(request, robot))
    ]
    return found


def _part_of(request: Request, robot: Robot) -> str | None:
    """Return the part of the sender's list that a robot is in: it is in the first that has it."""
    if robot.owner_user_id == request.sender.user_id:
        return OWNED
    shares = find_shares(request.sender, robot, request.now)
    if not shares:
        return None
    first = shares[0].grantee
    return SHARED if group_of(first) is None else first


def relation_to(user: Connection, robot: Robot, now: int) -> RelationName | None:
    """Return what the user is to the robot: owner, operator, viewer, admin, or None for a stranger.

    `now` is in epoch ms. An admin with whom the robot is shared is `operator` or `viewer`, and may
    do what admins may.
    """
    if robot.owner_user_id == user.user_id:
        return "owner"
    roles = {each.role for each in find_shares(user, robot, now)}
    if "operator" in roles:
        return "operator"
    if user.is_admin:
        return "admin"
    return "viewer" if roles else None


def robot_entry(request: Request, robot: Robot, relation: RelationName) -> RobotEntry:
    """Return a robot's entry in a list, for a user who may see it."""
    online = robot.is_online(request.now)
    held = robot.holder(request.now) if online else None
    is_own = robot.owner_user_id == request.sender.user_id
    share = find_share(request.sender, robot, request.now)
    return RobotEntry(
        robot_id=robot.robot_id,
        online=online,
        valid_for_seconds=validity_seconds(robot, request.now),
        rev=robot.rev,
        owner=Person(robot.owner_user_id, request.sender.name if is_own else None),
        relation=relation,
        controlled_by=held.person if held else None,
        viewers=sum(not each.has_lapsed("viewer", request.now) for each in robot.viewers.values()),
        metadata=msgspec.json.decode(robot.metadata or "{}"),
        dialect=_dialect_of(robot),
        ice_restart=robot.ice_restart,
        until=None if share is None else share.until,
        group=None if share is None else group_of(share.grantee),
        not_renewed=_find_not_renewed(robot, request.now),
        last_seen_at=None if online else _last_seen_at(request, robot),
        keys=_summarize_keys(robot, request.now) if relation in ("owner", "admin") else None,
    )


def _dialect_of(robot: Robot) -> Dialect:
    """Return the robot's dialect: of one that was enrolled and never registered, that of keys."""
    return "v1" if robot.keys and not robot.updated_at else robot.dialect


def _find_not_renewed(robot: Robot, now: int) -> Person | None:
    """Return who drove last, if their lease has lapsed but their right has not.

    Nothing tells the robot that a lease has lapsed, so it obeys them until the right ends.
    """
    last = robot.controller
    if last is None or robot.holder(now) is not None or not last.right_seconds(now):
        return None
    return last.person


def _last_seen_at(request: Request, robot: Robot) -> int | None:
    return robot.last_seen_at(request.now, request.presence_seconds)


def _summarize_keys(robot: Robot, now: int) -> KeysSummary | None:
    keys = [each for each in (robot.keys or {}).values() if not each.is_over(now)]
    if not keys:
        return None
    return KeysSummary(
        count=len(keys),
        pending=sum(each.pending for each in keys),
        last_used_at=max(each.last_used_at or 0 for each in keys) or None,
    )


def presence_frame(robot: Robot, now: int) -> Presence:
    """Return the frame that tells a watcher of a robot's state at `now` (epoch ms)."""
    online = robot.is_online(now)
    held = robot.holder(now) if online else None
    return Presence(
        robot_id=robot.robot_id,
        rev=robot.rev,
        online=online,
        valid_for_seconds=validity_seconds(robot, now),
        controlled_by=held.person if held else None,
        not_renewed=_find_not_renewed(robot, now),
    )


def validity_seconds(robot: Robot, now: int) -> int:
    """Return for how many seconds presence and control are certain to last, without news."""
    if not robot.is_online(now):
        return 0
    held = robot.holder(now)
    ends = min(robot.presence_until, robot.expires_at, held.until if held else robot.presence_until)
    return (ends - now) // 1000
