"""Pushes changes of robots to the connections that watch them.

`PresencePushes` observes the steps of every flow, so no change can be forgotten: every write that
increments a robot's `rev` is one. A push is a convenience, and at most `WATCHERS` connections get
each: what they were told is valid for so many seconds, and after that they ask again.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import structs

from robosignal.protocol import limits
from robosignal.protocol.errors import SignalingError
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.changes import find_change
from robosignal.server.core.delivery import find_delivery, hand_over_to
from robosignal.server.core.directory import ADMINS, presence_frame
from robosignal.server.core.records import Robot, group_of
from robosignal.server.core.steps import (
    Action,
    DropGroupWatch,
    FindWatchers,
    Flow,
    ReadRobot,
    Watcher,
    WriteConnection,
    attempt_all,
)
from robosignal.server.core.writes import connections
from robosignal.server.core.writes.attributes import REV
from robosignal.server.limits.pace import Pace

log = logging.getLogger("signaling")


@dataclass(slots=True)
class PresencePushes:
    """Collects the robots that one event changes, with their last state, for `push_changes`."""

    changed: dict[RobotId, Robot] = field(default_factory=dict)

    def saw(self, action: Action, outcome: object) -> None:
        """Keep the robot's new state if the action has incremented its `rev`."""
        change = find_change(action, outcome)
        if change is not None and change.write.increments(REV):
            self.changed[change.after.robot_id] = change.after


def push_changes(pushes: PresencePushes, now: int, pace: Pace) -> Flow[None]:
    """Push each changed robot's state to its watchers, then one push that was deferred.

    A robot that changes too often is pushed later, with its latest state. `now` is in epoch ms.
    Raise nothing: the changes have been written, and a failure is logged.
    """
    for robot in pushes.changed.values():
        if pace.may_push(robot.robot_id):
            yield from _push_or_log(robot, now)
        else:
            pace.defer_push(robot)
    yield from push_deferred(now, pace)


def push_deferred(now: int, pace: Pace) -> Flow[bool]:
    """Make one push that was deferred and is due now; return whether there was one.

    The robot is read again, as other processes may have changed it and who may see it.
    """
    deferred = pace.next_push()
    if deferred is None:
        return False
    (found,) = yield from attempt_all((ReadRobot(deferred.robot_id),))
    if isinstance(found, SignalingError):
        _log_failure(found)
    else:
        # The users who could see a robot before it was forgotten learn that it is offline.
        robot = found or structs.replace(deferred, connection_id=None)
        yield from _push_or_log(robot, now)
    return True


def _push_or_log(robot: Robot, now: int) -> Flow[None]:
    try:
        yield from _push(robot, now)
    except Exception as fault:  # noqa: BLE001 - the change is written
        _log_failure(fault)


def _log_failure(fault: Exception) -> None:
    log.error("watchers not notified", exc_info=fault)


def _push(robot: Robot, now: int) -> Flow[None]:
    """Find this robot's watchers, post to them, and unlist those whose connection has ended."""
    shares = (each for each in robot.shares() if not each.offered and not each.has_ended(now))
    others = {each.grantee for each in shares} - {robot.owner_user_id}
    may_see = [robot.owner_user_id, *sorted(others), ADMINS]
    found = yield from attempt_all(FindWatchers(user) for user in may_see)
    asked = zip(may_see, found, strict=True)
    listed = [(UserId(key), some) for key, some in asked if isinstance(some, tuple)]
    watchers = _choose_watchers([some for _, some in listed])
    frame = presence_frame(robot, now)
    posts = [hand_over_to(each.connection_id, each.expires_at, frame, now) for each in watchers]
    outcomes = yield from attempt_all(posts)
    lost = {
        watcher.connection_id
        for watcher, post, outcome in zip(watchers, posts, outcomes, strict=True)
        if find_delivery(post, outcome).is_connection_lost
    }
    yield from attempt_all(_forget_watchers(listed, lost))


def _choose_watchers(found: list[tuple[Watcher, ...]]) -> list[Watcher]:
    """Return at most `WATCHERS`, taking one of each user's in turn, so none crowds others out.

    A connection that is listed for its user and for a group is told once.
    """
    longest = max(map(len, found), default=0)
    in_turn = (some[turn] for turn in range(longest) for some in found if turn < len(some))
    once = {each.connection_id: each for each in in_turn}
    return list(once.values())[: limits.WATCHERS]


def _forget_watchers(
    listed: list[tuple[UserId, tuple[Watcher, ...]]], lost: set[ConnectionId]
) -> Iterator[WriteConnection | DropGroupWatch]:
    """Yield the steps that unlist the connections that have ended."""
    for key, some in listed:
        group = group_of(key)
        for each in some:
            if each.connection_id in lost and group is not None:
                yield DropGroupWatch(each.connection_id, group)
    for connection_id in sorted(lost):
        yield WriteConnection(connection_id, connections.unwatch())
