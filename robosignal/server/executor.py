"""Runs flows: performs the steps that they ask for, and shows each outcome to the observers.

`run` is the only code that drives a flow or unfolds parallel steps. It serves the Lambda and the
local gateway alike; only the ports differ.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, assert_never

from robosignal.protocol.device_keys import CODE_BYTES, format_code
from robosignal.protocol.errors import Internal, SignalingError
from robosignal.server.core import steps
from robosignal.server.core.steps import Action, Decision, Delivery, Flow, Parallel
from robosignal.server.deadline import Deadline
from robosignal.server.ports import History, IceSource, Poster, Store

log = logging.getLogger("signaling")

MAX_STEPS = 64
"""More than any flow needs. The longest lists eight shards of the fleet, a page in each."""

Execute = Callable[[Action], Any]
"""Performs one action and returns its outcome. Raises SignalingError if it is refused."""

Hook = Callable[[Execute], Execute]
"""Wraps how every action is performed, for example to delay it."""

ParallelMap = Callable[[Callable[[Action], Any], Iterable[Action]], Iterable[Any]]
"""Applies a function to independent actions, in turn or in threads; yields results in order."""


class Observer(Protocol):
    """Sees what flows do. It cannot change an outcome."""

    def saw(self, action: Action, outcome: object) -> None:
        """Take note of an action and its outcome, which is the SignalingError of a failed one."""


class Guard(Protocol):
    """Is asked before each action that decides a reply: may answer it, or refuse it, by itself.

    Parallel actions notify others or undo something; no guard is asked about them.
    """

    def __call__(self, action: Action, execute: Execute) -> Any:
        """Return the action's outcome, with or without executing it. May raise SignalingError."""


def run(
    flow: Flow[Decision],
    execute: Execute,
    observers: Sequence[Observer] = (),
    *,
    guards: Sequence[Guard] = (),
    parallel_map: ParallelMap = map,
) -> Decision:
    """Run a flow to its end and return its decision.

    A SignalingError of an action is raised in the flow, which may continue without it. So is any
    other exception, as Internal, after it is logged: the flow may have something to undo. Raise
    what the flow raises; RuntimeError after `MAX_STEPS` steps.
    """
    decide = execute
    for guard in reversed(guards):
        decide = partial(guard, execute=decide)
    try:
        step = next(flow)
        for _ in range(MAX_STEPS):
            if isinstance(step, Parallel):
                outcome = _perform_parallel(step, execute, parallel_map)
                for action, each in zip(step.actions, outcome, strict=True):
                    _show(observers, action, each)
                step = flow.send(outcome)
                continue
            outcome = _perform(step, decide)
            _show(observers, step, outcome)
            if isinstance(outcome, SignalingError):
                step = flow.throw(outcome)
            else:
                step = flow.send(outcome)
    except StopIteration as end:
        decision: Decision = end.value
        return decision
    raise RuntimeError(f"a flow asked for more than {MAX_STEPS} steps")


def _show(observers: Sequence[Observer], action: Action, outcome: object) -> None:
    for observer in observers:
        observer.saw(action, outcome)


def _perform_parallel(
    step: Parallel, execute: Execute, parallel_map: ParallelMap
) -> tuple[Any, ...]:
    deadline = Deadline.current()

    def perform(action: Action) -> Any:
        with deadline.use_for(step.purpose):
            return _perform(action, execute)

    # A single action needs no thread of its own.
    spread = parallel_map if len(step.actions) > 1 else map
    return tuple(spread(perform, step.actions))


def _perform(action: Action, execute: Execute) -> Any:
    """Return the action's outcome; the SignalingError, if it fails."""
    try:
        return execute(action)
    except SignalingError as refusal:
        return refusal
    except Exception as fault:
        log.exception("step failed", extra={"step": type(action).__name__})
        failure = Internal()
        failure.__cause__ = fault
        return failure


@dataclass(frozen=True, slots=True)
class Executor:
    """Performs actions with the adapters of this deployment, at one event's time (epoch ms)."""

    store: Store
    poster: Poster
    ice: IceSource
    history: History
    now: int
    random: Callable[[int], bytes]
    """Returns so many random bytes, for secrets."""

    def execute(self, action: Action) -> Any:  # noqa: C901, PLR0911, PLR0912 - one for each action
        """Perform one action and return its outcome. Raise what the port raises."""
        match action:
            case steps.ReadRobot(robot_id):
                return self.store.robot(robot_id)
            case steps.WriteRobot(robot_id, write):
                return self.store.write_robot(robot_id, write)
            case steps.Post(connection_id, frame):
                exists = self.poster.post(connection_id, frame)
                return Delivery.SENT if exists else Delivery.GONE
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
            case steps.NoteShare(robot_id, user_id, owner):
                return self.store.note_share(robot_id, user_id, owner)
            case steps.CountOffers(owner, limit):
                return self.store.count_offers(owner, limit)
            case steps.NoteGroupWatch(connection_id, group, expires_at):
                return self.store.note_group_watch(connection_id, group, expires_at)
            case steps.DropGroupWatch(connection_id, group):
                return self.store.drop_group_watch(connection_id, group)
            case steps.DropShare(robot_id, user_id):
                return self.store.drop_share(robot_id, user_id)
            case steps.DrawCode():
                return format_code(self.random(CODE_BYTES))
            case steps.ReadCode(code_hash):
                return self.store.code(code_hash)
            case steps.WriteCode(code_hash, write):
                return self.store.write_code(code_hash, write)
            case steps.ReadInvitation(code_hash):
                return self.store.invitation(code_hash)
            case steps.WriteInvitation(code_hash, write):
                return self.store.write_invitation(code_hash, write)
            case steps.ReadRobots(robot_ids):
                return self.store.robots(robot_ids)
            case steps.ListOwned(user_id, after, limit):
                return self.store.list_owned(user_id, after, limit)
            case steps.ListShared(user_id, after, limit):
                return self.store.list_shared(user_id, after, limit)
            case steps.ListFleet(shard, after, limit):
                return self.store.list_fleet(shard, after, limit)
            case steps.FindWatchers(watcher):
                return self.store.watchers(watcher)
            case steps.FindIceServers(user_id, until):
                # Peers may connect without TURN, so a slow secret must not delay the reply.
                with Deadline.current().use_for("notify"):
                    return self.ice.servers(user_id, self.now, until)
            case steps.ReadHistory():
                return self.history.read(action)
            case steps.Close(connection_id):
                return self.poster.close(connection_id)
            case _:
                assert_never(action)
