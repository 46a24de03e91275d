"""The history that a running server answers with, to the owner of a robot or an admin."""

from collections.abc import Callable
from typing import Any

import msgspec

from robosignal.cli.arguments import Refused
from robosignal.cli.server import Access, NotDone, Server
from robosignal.history.found import MOST, Found, Question, SourceFailed
from robosignal.protocol.frames import Gap, IntervalEntry
from robosignal.protocol.ids import RobotId
from robosignal.server.core.intervals import Interval


class _Page(msgspec.Struct, rename="camel"):
    intervals: list[IntervalEntry]
    kept_since: int
    gaps: list[Gap] = []
    cursor: str | None = None


async def ask_server(access: Access, question: Question, say: Callable[[str], object]) -> Found:
    """Return what this server answers. Raise SourceFailed."""
    robot_id = question.robot_id
    if robot_id is None:
        raise SourceFailed("a server is asked about one robot: name it")
    try:
        async with Server(access) as server:
            return await _read(server, robot_id, question, say)
    except Refused as refused:
        raise SourceFailed(str(refused)) from refused


async def _read(
    server: Server, robot_id: RobotId, question: Question, say: Callable[[str], object]
) -> Found:
    asked: dict[str, Any] = {
        "type": "history",
        "robotId": robot_id,
        "since": question.since,
        "until": question.until,
        "userId": question.user_id,
        "role": question.role,
    }
    entries: list[IntervalEntry] = []
    while True:
        answer = await server.ask(asked)
        if isinstance(answer, NotDone):
            raise SourceFailed(f"{answer.code}: {answer.why}")
        page = msgspec.convert(answer.reply, _Page)
        entries += page.intervals
        say(f"{len(entries)} intervals")
        if page.cursor is None or len(entries) >= MOST:
            break
        asked["cursor"] = page.cursor
    return Found(
        intervals=tuple(_interval(robot_id, each, question.now) for each in reversed(entries)),
        gaps=tuple((each.since, each.until) for each in page.gaps),
        kept_since=page.kept_since,
        is_cut=page.cursor is not None,
    )


def _interval(robot_id: RobotId, entry: IntervalEntry, now: int) -> Interval:
    return Interval(
        robot_id=robot_id,
        session_id=entry.session_id,
        user_id=entry.person.user_id,
        name=entry.person.name,
        role=entry.role,
        epoch=entry.epoch,
        since=entry.since,
        since_known=entry.since_known,
        until=entry.until,
        until_known=entry.until_known,
        reason=entry.reason,
        by=entry.by,
        began_by=entry.began_by,
        ended_by=entry.ended_by,
        lapses_at=entry.lapses_at,
        told_at=now,
    )
