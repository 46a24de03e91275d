"""Pushed presence: whoever watches is told of each change, by the message that made it.

`pushing` wraps every flow, so no change can be forgotten: a write that raised `rev` is one.
Watchers are a convenience, bounded in number; what they are told holds for so many seconds,
and a watcher who hears nothing by then asks again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec import structs

from robosignal.protocol import limits
from robosignal.protocol.errors import SignalingError
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import hand_over_to, is_gone
from robosignal.server.core.directory import ADMINS, presence_frame
from robosignal.server.core.pacing import Pace, Unpaced
from robosignal.server.core.records import Robot
from robosignal.server.core.steps import (
    Decided,
    FindWatchers,
    Flow,
    Parallel,
    ReadRobot,
    Step,
    StepFlow,
    Watcher,
    WriteConnection,
    WriteRobot,
    Written,
    attempt_all,
    stepping,
)
from robosignal.server.core.writes import connections
from robosignal.server.core.writes.attributes import OPERATORS, REV


@dataclass(frozen=True, slots=True)
class Change:
    """A write that changed a robot's connection or holder, raising `rev`; or who its operators are.

    `before` is None of a robot that was made, and of a write whose answer had been lost.
    """

    write: Write
    before: Robot | None
    after: Robot


def pushing(
    flow: Flow[Decided],
    now: int,
    noted: Callable[[Change], None] = lambda _: None,
    failed: Callable[[Exception], None] = lambda _: None,
    pace: Pace = Unpaced(),  # noqa: B008 - it has no state
) -> Flow[Decided]:
    """Run a flow, and tell the watchers of every robot whose `rev` it has raised.

    They are told after everyone concerned, and also when the flow ends in a refusal, since it may
    have changed robots before that. Each change is `noted` as soon as it is written. A failure
    to tell them goes to `failed`, and changes neither the write nor the flow's decision.
    A robot that changes too often is pushed at its `pace`, with its latest state.
    """
    changes: list[Change] = []

    def both(change: Change) -> None:
        if change.write.raises(REV):
            changes.append(change)
        noted(change)

    try:
        decided = yield from _noting(flow, both)
    except SignalingError:
        yield from _push_all(changes, now, failed, pace)
        raise
    yield from _push_all(changes, now, failed, pace)
    return decided


def _noting(flow: Flow[Decided], noted: Callable[[Change], None]) -> Flow[Decided]:
    """Run a flow and note the changes that it makes."""

    def carried_out(step: Step) -> StepFlow:
        outcome = yield step
        _note(step, outcome, noted)
        return outcome

    return stepping(flow, carried_out)


def _note(step: Step, outcome: object, noted: Callable[[Change], None]) -> None:
    match step, outcome:
        case Parallel(steps), tuple():
            for each, its_outcome in zip(steps, outcome, strict=True):
                _note(each, its_outcome, noted)
        case WriteRobot(write=write), Written(before, after) if isinstance(after, Robot):
            if write.raises(REV) or write.touches(OPERATORS):
                noted(Change(write, before, after))
        case _:
            pass


def _push_all(
    changes: list[Change], now: int, failed: Callable[[Exception], None], pace: Pace
) -> Flow[None]:
    """Push each robot's state after its last change, and one push that waited.

    A failure here affects neither the change nor its reply.
    """
    last = {change.after.robot_id: change.after for change in changes}
    for robot in last.values():
        if pace.may_push(robot.robot_id):
            yield from _pushed(robot, now, failed)
        else:
            pace.defer_push(robot)
    yield from push_deferred(now, failed, pace)


def push_deferred(now: int, failed: Callable[[Exception], None], pace: Pace) -> Flow[bool]:
    """Send one push that waited, and return whether one was due.

    The robot is read again: another process may have changed it since, and who may see it.
    """
    waited = pace.next_push()
    if waited is None:
        return False
    (found,) = yield from attempt_all((ReadRobot(waited.robot_id),))
    if isinstance(found, SignalingError):
        failed(found)
    else:
        # The last users who could see a forgotten robot are told that it is offline.
        robot = found or structs.replace(waited, connection_id=None)
        yield from _pushed(robot, now, failed)
    return True


def _pushed(robot: Robot, now: int, failed: Callable[[Exception], None]) -> Flow[None]:
    try:
        yield from _push(robot, now)
    except Exception as fault:  # noqa: BLE001 - the change is written
        failed(fault)


def _push(robot: Robot, now: int) -> Flow[None]:
    """Tell this robot's watchers: one round of queries, one of posts, one for who is gone."""
    may_see = [robot.owner_user_id, *sorted(robot.operators - {robot.owner_user_id}), ADMINS]
    found = yield from attempt_all(FindWatchers(user) for user in may_see)
    watchers = _shared_out([some for some in found if isinstance(some, tuple)])
    frame = presence_frame(robot, now)
    posts = [hand_over_to(each.connection_id, each.expires_at, frame, now) for each in watchers]
    outcomes = yield from attempt_all(posts)
    yield from attempt_all(
        WriteConnection(watcher.connection_id, connections.unwatch())
        for watcher, outcome in zip(watchers, outcomes, strict=True)
        if is_gone(outcome)
    )


def _shared_out(watching: list[tuple[Watcher, ...]]) -> list[Watcher]:
    """Return as many as are told: one of each user's in turn, so that none keeps others out."""
    longest = max(map(len, watching), default=0)
    in_turn = [some[turn] for turn in range(longest) for some in watching if turn < len(some)]
    return in_turn[: limits.WATCHERS]
