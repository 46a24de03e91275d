"""What must be true of the intervals that the audit lines of a schedule are made into."""

from collections.abc import Iterator
from itertools import pairwise

from robosignal.protocol.limits import CLOCK_SECONDS
from robosignal.server.audit import RobotWrite, describe_sessions, make_line
from robosignal.server.core.intervals import Interval, Timeline
from robosignal.server.core.records import Robot
from tests.explorer.cast import ROBOT
from tests.explorer.history import History, Wrote

Found = Iterator[str]
Place = tuple[str, str, int | None]


def intervals_are_the_sessions(history: History) -> Found:
    """After each write the open intervals are the item's sessions, whether or not one is known.

    A write whose first answer was lost does not know the state before it: the driver is right all
    the same, and viewers are at most too many.
    """
    timeline, blind = _begin(history), _begin(history)
    for write in history.wrote:
        due = _places(write.after)
        _follow(timeline, write)
        if _open(timeline) != due:
            yield f"intervals {_open(timeline)} after {write.name}, sessions {due}"
        _follow(blind, write, repeated=True)
        drivers = {each for each in _open(blind) if each[1] == "controller"}
        if drivers != {each for each in due if each[1] == "controller"}:
            yield f"the repeated {write.name} leaves {drivers}"


def drivers_never_overlap(history: History) -> Found:
    """One drives until the next begins, by clocks that are as far apart as they may be."""
    timeline = _begin(history)
    driven: dict[tuple[str, int | None], Interval] = {}
    for write in history.wrote:
        for interval in _follow(timeline, write):
            if interval.role == "controller" and not history.forgotten:
                driven[interval.session_id, interval.epoch] = interval
    in_order = sorted(driven.values(), key=lambda each: each.epoch or 0)
    for first, second in pairwise(in_order):
        if max(first.since, first.told_at) - second.since > CLOCK_SECONDS * 1000:
            # Further apart: the lines alone cannot say in which order it was.
            continue
        if first.until is None or first.until > second.since:
            yield f"{first} and {second} overlap"


def _begin(history: History) -> Timeline:
    timeline = Timeline()
    if history.begun is not None:
        timeline.apply(describe_sessions(history.begun, history.begun.updated_at))
    return timeline


def _follow(timeline: Timeline, write: Wrote, *, repeated: bool = False) -> list[Interval]:
    before = None if repeated else write.before
    line = make_line(RobotWrite(write.write, before, write.after, None, write.by.now))
    return [] if line is None else [each.interval for each in timeline.apply(line)]


def _open(timeline: Timeline) -> set[Place]:
    return {(each.session_id, each.role, each.epoch) for each in timeline.open_of(ROBOT)}


def _places(robot: Robot) -> set[Place]:
    return {
        (each.session_id, role, robot.epoch if role == "controller" else None)
        for each, role in robot.sessions()
    }
