"""The history as a person reads it, and as a program does."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from robosignal.cli.tables import format_table, show_name
from robosignal.history.found import MOST, Found, Question
from robosignal.history.times import format_time
from robosignal.protocol.frames import IntervalEnd
from robosignal.server.core.history import interval_entry
from robosignal.server.core.intervals import Interval

ENDS: dict[IntervalEnd, str] = {
    "lapsed": "lapsed: not renewed, or the connection was lost and did not come back",
    "takeover": "{by} took over",
    "granted": "handed over to a viewer, or to this one",
    "released": "released control, and went on viewing",
    "promoted": "went on as the driver",
    "reconnected": "the same user went on from another page",
    "left": "left",
    "dismissed": "the robot ended it",
    "unreachable": "the robot or the page could not be reached",
    "unanswered": "undone: the page was never answered",
    "restarted": "the robot's program restarted",
    "unregistered": "the robot signed off",
    "forgotten": "{by} had the robot forgotten",
    "unshared": "{by} ended the share",
    "transferred": "{by} gave the robot to another owner",
    "revoked": "{by} ended the robot's key",
    "unrecorded": "ended by then; how is not recorded",
}
"""What each reason means to a reader; `{by}` is the user whose message ended it."""

HEADS = ("FROM", "UNTIL", "ROLE", "USER", "HOW IT ENDED")


def format_json(found: Found) -> str:
    """Return the intervals with every field, times in epoch ms, as one JSON object."""
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "intervals": [_as_builtins(each) for each in found.intervals],
                "gaps": [{"since": since, "until": until} for since, until in found.gaps],
                "keptSince": found.kept_since,
                "isCut": found.is_cut,
            }
        )
    ).decode()


def _as_builtins(interval: Interval) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(interval_entry(interval))
    return {"robotId": interval.robot_id, **fields}


def format_text(found: Found, question: Question) -> str:
    """Return a table of the intervals, and beneath it what is not known."""
    parts = [_title(question), ""]
    parts += (
        _table(found.intervals, question) if found.intervals else ["No one, as far as is known."]
    )
    notes = list(_notes(found, question))
    return "\n".join([*parts, *([""] if notes else []), *notes])


def _title(question: Question) -> str:
    which = question.robot_id or "every robot"
    if question.since == question.until:
        return f"{which} at {format_time(question.since)}"
    return f"{which} from {format_time(question.since)} until {format_time(question.until)}"


def _table(intervals: Sequence[Interval], question: Question) -> list[str]:
    robots = question.robot_id is None
    heads = ("ROBOT", *HEADS) if robots else HEADS
    rows = [((each.robot_id,) if robots else ()) + _row(each) for each in intervals]
    return format_table(heads, rows)


def _row(interval: Interval) -> tuple[str, ...]:
    began = format_time(interval.since)
    ended = "" if interval.until is None else format_time(interval.until)
    return (
        began if interval.since_known else f"by {began}",
        ended if interval.until_known else f"by {ended}",
        interval.role,
        show_user(interval),
        _describe_end(interval),
    )


def show_user(interval: Interval) -> str:
    """Return the user's id, and the name in quotes that no name can contain."""
    if not interval.name:
        return interval.user_id
    return f"{interval.user_id} “{show_name(interval.name)}”"


def _describe_end(interval: Interval) -> str:
    if interval.reason is not None:
        return ENDS[interval.reason].format(by=interval.by or "another user")
    if interval.lapses_at is not None:
        return f"connection lost; ends at {format_time(interval.lapses_at)} unless it returns"
    return "has not ended"


def _notes(found: Found, question: Question) -> Iterable[str]:
    if found.kept_since is not None and question.since < found.kept_since:
        yield f"Nothing is kept of what ended before {format_time(found.kept_since)}."
    for since, until in found.gaps:
        yield (
            f"The server did not run from {format_time(since)} until {format_time(until)}: a "
            "driver may have gone on meanwhile, and no one else could begin."
        )
    if any(not each.since_known or not each.until_known for each in found.intervals):
        yield "“by”: no line tells when exactly; it was then, or before."
    if found.is_cut:
        yield f"There are more: these are the latest {MOST}. Give --from, --until or --user."
