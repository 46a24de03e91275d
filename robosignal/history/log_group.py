"""The history of a deployment on AWS: intervals made of the audit log's lines.

A session that began long before the time asked for has its line there, and its end may come long
after. So the span that is read grows until the intervals in it are whole, or cannot become so.
"""

from collections.abc import Callable

from robosignal.history.found import MOST, Found, Question, SourceFailed
from robosignal.protocol.limits import LIFETIME_SECONDS, VIEWER_SECONDS
from robosignal.server.aws.insights import AuditLog, InsightsFailed, make_logs_client
from robosignal.server.core.intervals import Interval, fold

LONGEST_MS = (LIFETIME_SECONDS + VIEWER_SECONDS) * 1000
"""How long a session lasts without any line at most: a connection ends after two hours, and what
it held lapses within five minutes."""

MARGINS = tuple(LONGEST_MS * 8**power for power in range(4))
"""How far before and after the time asked for lines are read: two hours, then up to 44 days."""


def read_log_group(
    log_group: str, region: str | None, question: Question, say: Callable[[str], object]
) -> Found:
    """Return what a log group has. Raise SourceFailed."""
    try:
        return read_audit(AuditLog(make_logs_client(region), log_group, say), question)
    except InsightsFailed as failed:
        raise SourceFailed(str(failed)) from failed


def read_audit(log: AuditLog, question: Question) -> Found:
    """Return what an audit log has. Raise InsightsFailed."""
    kept_since = log.find_kept_since(question.now)
    before = after = 0
    while True:
        since = max(question.since - MARGINS[before], kept_since or 0, 0)
        until = min(question.until + MARGINS[after], question.now)
        lines = log.read(question.robot_id, since, until)
        found = [_judge(each, question, until) for each in fold(lines)]
        chosen = [each for each in found if _is_asked(each, question)]
        is_cut_before = since > (kept_since or 0) and not all(each.since_known for each in chosen)
        is_cut_after = until < question.now and any(each.until is None for each in chosen)
        if not (is_cut_before and before + 1 < len(MARGINS)) and not (
            is_cut_after and after + 1 < len(MARGINS)
        ):
            break
        before = min(before + is_cut_before, len(MARGINS) - 1)
        after = min(after + is_cut_after, len(MARGINS) - 1)
    return Found(intervals=tuple(chosen[-MOST:]), kept_since=kept_since, is_cut=len(chosen) > MOST)


def _judge(interval: Interval, question: Question, until: int) -> Interval:
    # Lines of after `until` were not read, so an interval is known as it was then.
    return interval.judge(min(question.now, until), LONGEST_MS)


def _is_asked(interval: Interval, question: Question) -> bool:
    return (
        interval.covers(question.since, question.until)
        and question.user_id in (None, interval.user_id)
        and question.role in (None, interval.role)
    )
