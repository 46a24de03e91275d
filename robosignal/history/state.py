"""The history in the state directory of a server on this machine, which may be running."""

from contextlib import closing
from pathlib import Path

from robosignal.gateway.history import DATABASE, HistoryFile
from robosignal.gateway.state import StateUnreadable
from robosignal.history.found import MOST, Found, Question, SourceFailed
from robosignal.server.core.steps import ReadHistory


def read_state(directory: Path, question: Question) -> Found:
    """Return what the directory's history has. Raise SourceFailed."""
    path = directory / DATABASE
    if not path.exists():
        raise SourceFailed(
            f"there is no history in {directory}: give the directory of a server with --state, or "
            "read a deployment's with --log-group or --url"
        )
    query = ReadHistory(
        robot_id=question.robot_id,
        owner=None,
        since=question.since,
        until=question.until,
        user_id=question.user_id,
        role=question.role,
        after=None,
        limit=MOST,
        now=question.now,
    )
    try:
        with closing(HistoryFile(path)) as file:
            page = file.read(query)
    except StateUnreadable as error:
        raise SourceFailed(str(error)) from error
    return Found(
        intervals=tuple(interval for _, interval in reversed(page.intervals)),
        gaps=page.gaps,
        kept_since=page.kept_since,
        is_cut=not page.is_last,
    )
