"""Who drove and who viewed a robot: the message `history`, for its owner and for admins.

An owner sees the time since the robot became theirs; an admin sees all of it, also of a robot that
was forgotten since.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, Forbidden
from robosignal.protocol.frames import Gap, HistoryReply, IntervalEntry, Person, encode
from robosignal.protocol.messages import History
from robosignal.server.core.authorization import is_allowed, refuse_former_robot
from robosignal.server.core.intervals import Interval
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    Flow,
    HistoryKey,
    HistoryPage,
    ReadHistory,
    read_history,
    read_robot,
)


def history(request: Request, message: History) -> Flow[HistoryReply]:
    """Reply with one page of the robot's intervals, the latest first.

    Raise Forbidden unless the sender is the owner or an admin, NoHistory where none is kept, and
    BadMessage for a bad cursor, or if `until` is before `since`.
    """
    robot_id, sender = message.robot_id, request.sender
    if message.since is not None and message.until is not None and message.until < message.since:
        raise BadMessage("until", "must not be before since")
    after = _decode_cursor(message.cursor)
    robot = yield from read_robot(robot_id)
    refuse_former_robot(request, robot_id, robot)
    if not is_allowed(History, sender, robot, request.now):
        raise Forbidden(robot_id, "only the robot's owner and admins see who drove it")
    query = ReadHistory(
        robot_id=robot_id,
        # Who owned the robot before is none of the present owner's business.
        owner=None if sender.is_admin else sender.user_id,
        since=message.since,
        until=message.until,
        user_id=message.user_id,
        role=message.role,
        after=after,
        limit=limits.INTERVALS_PER_PAGE,
        now=request.now,
    )
    return _make_reply(message, (yield from read_history(query)))


def _make_reply(message: History, page: HistoryPage) -> HistoryReply:
    """Return the reply, with as many intervals as fit into one frame."""
    reply = HistoryReply(
        robot_id=message.robot_id,
        intervals=[],
        gaps=[Gap(since=since, until=until) for since, until in page.gaps],
        kept_since=page.kept_since,
    )
    left = limits.HISTORY_BYTES - len(encode(reply))
    last: HistoryKey | None = None
    for key, interval in page.intervals:
        entry = interval_entry(interval)
        left -= len(encode(entry)) + 1
        if left < 0 and last is not None:
            return msgspec.structs.replace(reply, cursor=_encode_cursor(last))
        reply.intervals.append(entry)
        last = key
    more = None if page.is_last or last is None else _encode_cursor(last)
    return msgspec.structs.replace(reply, cursor=more)


def interval_entry(interval: Interval) -> IntervalEntry:
    """Return an interval as its readers see it."""
    return IntervalEntry(
        person=Person(interval.user_id, interval.name),
        role=interval.role,
        session_id=interval.session_id,
        epoch=interval.epoch,
        since=interval.since,
        since_known=interval.since_known,
        until=interval.until,
        until_known=interval.until_known,
        reason=interval.reason,
        by=interval.by,
        began_by=interval.began_by,
        ended_by=interval.ended_by,
        lapses_at=interval.lapses_at if interval.until is None else None,
    )


def _encode_cursor(key: HistoryKey) -> str:
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _decode_cursor(text: str | None) -> HistoryKey | None:
    """Return where to go on. Raise BadMessage if it does not come from such a page."""
    if text is None:
        return None
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        key = msgspec.json.decode(raw, type=HistoryKey)
    except ValueError as error:
        raise BadMessage("cursor", "must be a cursor from an earlier reply") from error
    # What SQLite's numbers hold.
    if not (0 <= key.since < 2**53 and 0 <= key.number < 2**53):
        raise BadMessage("cursor", "must be a cursor from an earlier reply")
    return key
