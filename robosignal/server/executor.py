"""Runs a flow: carries out each step that it asks for and sends it the outcome.

The same synchronous runner serves the Lambda and the local gateway; only the ports differ.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

from robosignal.protocol.errors import Internal, SignalingError
from robosignal.server.core import steps
from robosignal.server.core.steps import Decided, Flow, Step, Use
from robosignal.server.deadline import Deadline
from robosignal.server.ports import IceSource, Poster, Store

log = logging.getLogger("signaling")

MAX_STEPS = 64
"""More than any flow asks for: the longest lists eight shards of the fleet, a page in each."""

SideBySide = Callable[[Callable[[Step], Any], Iterable[Step]], Iterable[Any]]
"""Carries out independent steps, in order or at once, and yields their outcomes in order."""


def run(flow: Flow[Decided], carry_out: Callable[[Step], Any]) -> Decided:
    """Run a flow to its end and return what it decided.

    What a step refuses is raised in the flow, which may go on without it. So is a fault of
    ours in a step, as Internal, once it is logged: the flow may have something to take back.
    """
    try:
        step = next(flow)
        for _ in range(MAX_STEPS):
            step = _next(flow, step, carry_out)
    except StopIteration as decided:
        result: Decided = decided.value
        return result
    raise RuntimeError(f"a flow asked for more than {MAX_STEPS} steps")


def _next(flow: Flow[Decided], step: Step, carry_out: Callable[[Step], Any]) -> Step:
    try:
        outcome = carry_out(step)
    except SignalingError as refused:
        return flow.throw(refused)
    except Exception as fault:  # noqa: BLE001 - the flow raises it, unless it can do without
        return flow.throw(_noted(fault, step))
    return flow.send(outcome)


def _noted(fault: Exception, step: Step) -> Internal:
    """Log a fault with the kind of its step, and return it in the form that flows handle."""
    log.error("step failed", exc_info=fault, extra={"step": type(step).__name__})
    failed = Internal()
    failed.__cause__ = fault
    return failed


@dataclass(frozen=True, slots=True)
class Hands:
    """Carries out steps with the adapters of this deployment, at one request's time."""

    store: Store
    poster: Poster
    ice: IceSource
    now: int
    side_by_side: SideBySide = map

    def carry_out(self, step: Step) -> Any:  # noqa: C901, PLR0911, PLR0912 - one for each step
        """Carry out one step and return its outcome."""
        match step:
            case steps.ReadRobot(robot_id):
                return self.store.robot(robot_id)
            case steps.WriteRobot(robot_id, write):
                return self.store.write_robot(robot_id, write)
            case steps.Post(connection_id, frame):
                return self.poster.post(connection_id, frame)
            case steps.Parallel(asked, use):
                attempt = partial(self._attempt, Deadline.current(), use)
                # A single step needs no thread of its own.
                together = self.side_by_side if len(asked) > 1 else map
                return tuple(together(attempt, asked))
            case steps.ReadConnection(connection_id):
                return self.store.connection(connection_id)
            case steps.WriteConnection(connection_id, write):
                return self.store.write_connection(connection_id, write)
            case steps.AddConnection(row):
                return self.store.add_connection(row)
            case steps.RemoveConnection(connection_id):
                return self.store.remove_connection(connection_id)
            case steps.CheckRobot(robot_id, write):
                return self.store.check_robot(robot_id, write)
            case steps.RemoveRobot(robot_id, when):
                return self.store.remove_robot(robot_id, when)
            case steps.NoteShare(robot_id, user_id):
                return self.store.note_share(robot_id, user_id)
            case steps.DropShare(robot_id, user_id):
                return self.store.drop_share(robot_id, user_id)
            case steps.ReadRobots(robot_ids):
                return self.store.robots(robot_ids)
            case steps.ListOwned(user_id, after, limit):
                return self.store.owned(user_id, after, limit)
            case steps.ListShared(user_id, after, limit):
                return self.store.shared(user_id, after, limit)
            case steps.ListFleet(shard, after, limit):
                return self.store.fleet(shard, after, limit)
            case steps.FindWatchers(watcher):
                return self.store.watchers(watcher)
            case steps.FindIceServers(user_id, until):
                # Peers may connect without TURN: do not wait long for its secret.
                with Deadline.current().spending("spare"):
                    return self.ice.servers(user_id, self.now, until)
            case steps.Close(connection_id):
                return self.poster.close(connection_id)
            case _:
                assert_never(step)

    def _attempt(self, deadline: Deadline, use: Use, step: Step) -> Any:
        """Carry out one step of several: its failure must not prevent the others."""
        try:
            with deadline.spending(use):
                return self.carry_out(step)
        except SignalingError as refused:
            return refused
        except Exception as fault:  # noqa: BLE001 - it is the outcome, and logged
            return _noted(fault, step)
