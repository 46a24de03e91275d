"""All that the robot knows, as one value, and the one way in which the driver changes.

Knows sessions, peers, the fence and the motion; never where a change came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from robosignal.protocol.frames import Person
from robosignal.protocol.ids import SessionId
from robosignal.robot import outbox, parked, pings
from robosignal.robot.actions import Action, Log, Move, Show, Shut
from robosignal.robot.commands import STILL, Motion
from robosignal.robot.early import Early
from robosignal.robot.fence import Fence
from robosignal.robot.frames import PcId, name_of
from robosignal.robot.outbox import Outbox
from robosignal.robot.parked import Parked
from robosignal.robot.presence import Presence


@dataclass(frozen=True, slots=True)
class Peer:
    """One session's peer connection.

    `held_at` is the last epoch at which the session is known to have held the lease, 0 if none;
    `watches` is whether it has offered as a viewer since, so that what ended it then may not
    concern it now. `refused_at` is the epoch at which a refused command was logged, so that a
    stream of them makes one line. One that has `failed` is closed; its session continues.
    """

    pc_id: PcId
    name: str
    held_at: int
    watches: bool
    refused_at: int | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Robot:
    """All that the robot knows. `driver` is the name of the fence's holder.

    `deferred` are frames that came between `register` and its answer, and `pushed` the fence
    that they alone make. `settled` is the epoch up to which sessions have followed the changes of
    holder, and `listed` the one at which the server has listed those that stand. Once `over`, the
    robot is about to end: it stands still, and nothing moves it.
    """

    presence: Presence
    fence: Fence = field(default_factory=Fence)
    pushed: Fence = field(default_factory=Fence)
    settled: int = 0
    listed: int = 0
    driver: str | None = None
    peers: Mapping[SessionId, Peer] = field(default_factory=dict)
    early: Early = ()
    parked: Parked = ()
    deferred: tuple[dict[str, Any], ...] = ()
    outbox: Outbox = field(default_factory=Outbox)
    motion: Motion = field(default_factory=Motion)
    over: bool = False


Stepped = tuple[Robot, list[Action]]


def moved(seen: Robot, fence: Fence, person: Person | None) -> Stepped:
    """Return with this fence; whenever it changes, the robot stops and says who drives."""
    if fence == seen.fence:
        return seen, []
    driver = _driver(seen, fence, person)
    told: list[Action] = [] if seen.motion.until is None else [Move(STILL)]
    told.append(Show(driver, fence.epoch))
    if driver is not None or seen.driver is not None:
        told.append(Log(f"{driver or 'nobody'} drives (epoch {fence.epoch})"))
    presence = replace(seen.presence, pings=pings.fenced(seen.presence.pings))
    return replace(seen, fence=fence, driver=driver, motion=Motion(), presence=presence), told


def _driver(seen: Robot, fence: Fence, person: Person | None) -> str | None:
    if fence.holder is None:
        return None
    if person is not None:
        return name_of(person)
    peer = seen.peers.get(fence.holder)
    return "somebody" if peer is None else peer.name


def shut(seen: Robot, session: SessionId) -> Stepped:
    """Return without this session's peer, which is closed if it is open."""
    peer = seen.peers.get(session)
    if peer is None:
        return seen, []
    peers = {key: other for key, other in seen.peers.items() if key != session}
    return replace(seen, peers=peers), [] if peer.failed else [Shut(session, peer.pc_id)]


def ended(seen: Robot, session: SessionId) -> Stepped:
    """Return without this session's peer and without its offer that waits."""
    return shut(replace(seen, parked=parked.without(seen.parked, session)), session)


def known(seen: Robot, session: SessionId) -> bool:
    """Whether the robot has had an offer of this session, which stands."""
    return session in seen.peers or any(one.frame.session_id == session for one in seen.parked)


def post(seen: Robot, frame: dict[str, Any]) -> Stepped:
    """Send a frame about a session, as soon as the robot is registered."""
    presence = seen.presence
    left, sends = outbox.posted(
        seen.outbox, frame, registered=presence.registered, asked=presence.asked
    )
    return replace(seen, outbox=left), sends


def with_peer(seen: Robot, session: SessionId, peer: Peer) -> Robot:
    """Return with this peer in the place of the session's older one."""
    return replace(seen, peers={**seen.peers, session: peer})


def holds(seen: Robot, session: SessionId | None, epoch: int) -> Robot:
    """Return with this session, if it has a peer, known to have held the lease at this epoch."""
    peer = None if session is None else seen.peers.get(session)
    if session is None or peer is None or epoch < peer.held_at:
        return seen
    return with_peer(seen, session, replace(peer, held_at=epoch, watches=False))


def of(seen: Robot, session: SessionId, pc: PcId) -> Peer | None:
    """Return the session's peer if it is still this peer connection, and has not failed."""
    peer = seen.peers.get(session)
    return peer if peer is not None and peer.pc_id == pc and not peer.failed else None
