"""Checks a history of takeovers: requests, replies and pushes, in the order they were seen.

It takes one pass over the history.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """A client asks for the lease."""

    client: int


@dataclass(frozen=True, slots=True)
class Granted:
    """A client is told that it holds."""

    client: int
    session: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LostTo:
    """A client is told that it holds no more, since this epoch."""

    client: int
    epoch: int


@dataclass(frozen=True, slots=True)
class RobotHeard:
    """The robot is told who holds."""

    session: str | None
    epoch: int


Seen = Asked | Granted | LostTo | RobotHeard


@dataclass(slots=True)
class _State:
    holder: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Which client and session was granted each epoch."""
    done: int = 0
    """The highest epoch that anybody has been granted."""
    at_least: dict[int, int] = field(default_factory=dict)
    """That epoch, when each client last asked."""
    lost: set[tuple[int, int]] = field(default_factory=set)
    robot: dict[int, str | None] = field(default_factory=dict)


def broken(history: Sequence[Seen]) -> list[str]:
    """Return every way in which the history is not that of one lease."""
    state = _State()
    found = [line for seen in history for line in _step(state, seen)]
    return found + list(_ended(state))


def _step(state: _State, seen: Seen) -> Iterator[str]:
    match seen:
        case Asked(client):
            state.at_least[client] = state.done
        case Granted(client, session, epoch):
            yield from _granted(state, client, session, epoch)
        case LostTo(client, epoch):
            state.lost.add((client, epoch))
        case RobotHeard(session, epoch):
            if state.robot.setdefault(epoch, session) != session:
                yield f"the robot heard of two holders of epoch {epoch}"


def _granted(state: _State, client: int, session: str, epoch: int) -> Iterator[str]:
    if state.holder.setdefault(epoch, (client, session)) != (client, session):
        yield f"two clients hold epoch {epoch}"
    floor = state.at_least.get(client, 0)
    again = state.holder.get(floor, (None, ""))[0] == client
    if epoch < floor or (epoch == floor and not again):
        yield f"epoch {epoch} was granted after epoch {floor} had been"
    state.done = max(state.done, epoch)


def _ended(state: _State) -> Iterator[str]:
    """Check what must have been told by the end: everyone displaced, and the robot."""
    last = max(state.holder, default=0)
    first = min(state.holder, default=0)
    if sorted(state.holder) != list(range(first, last + 1)):
        yield "an epoch passed that was never granted"
    for epoch, (client, session) in state.holder.items():
        if epoch != last and (client, epoch + 1) not in state.lost:
            yield f"client {client} was not told that it lost epoch {epoch}"
        if epoch in state.robot and state.robot[epoch] != session:
            yield f"the robot obeys another than the holder of epoch {epoch}"
    if state.holder and state.robot.get(last) != state.holder[last][1]:
        yield "the robot does not know the last holder"
    for client, epoch in state.lost:
        if state.holder.get(epoch, (None, ""))[0] == client:
            yield f"client {client} was told that it lost epoch {epoch}, which it holds"
