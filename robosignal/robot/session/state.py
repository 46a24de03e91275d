"""All that the robot knows of its sessions, as one value, and the one way to change the driver."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from robosignal.protocol.frames import Person
from robosignal.protocol.ids import SessionId
from robosignal.robot.drive import STILL, Motion, Settings
from robosignal.robot.frames import PcId, display_name
from robosignal.robot.session import registration
from robosignal.robot.session.datachannel import Refusals
from robosignal.robot.session.events import Action, Log, Move, Show, Shut
from robosignal.robot.session.fence import Fence
from robosignal.robot.session.pending import Pending
from robosignal.robot.session.registration import Registration
from robosignal.robot.telemetry import Published


@dataclass(frozen=True, slots=True)
class Link:
    """A peer's channel `drive`: what has come of its commands, and when it is told next, in ms.

    Unless it `is_armed`, its session must first send a command with both axes at 0. `last_n` is
    the number of the last command obeyed.
    """

    is_armed: bool = False
    last_n: int | None = None
    refusals: Refusals = field(default_factory=Refusals)
    heartbeat_at: int = 0


@dataclass(frozen=True, slots=True)
class OldLink:
    """The commands of a peer without a channel `drive`, which cannot prove that they are fresh.

    `has_gap`: they have stopped coming in time, so those that come next have waited somewhere.
    Then they are ignored for a while, until `ignored_until`, in ms. Pages of this kind begin to
    drive with the first press of a key, so it `is_armed` until a stop.
    """

    is_armed: bool = True
    has_gap: bool = False
    ignored_until: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """One session's peer connection.

    `held_at` is the last epoch at which the session is known to have held the lease, 0 if none;
    `has_viewed` is whether it has offered as a viewer since, so that what ended it then may not
    concern it now. `refused_at` is the epoch at which a refused command was logged, so that a
    stream of them makes one line. `stop_at` is when its last `stop` counted, in ms, and
    `stop_waits_until` until when one counts that was refused as its right had ended, if the server
    says meanwhile that the right was renewed. One that `takes_telemetry` has opened the channel for
    it, and `reads` has the labels of the application's own that it has opened. `person` is who
    offered, None if the server has not said. One that has `failed` is closed; its session
    continues.
    """

    pc_id: PcId
    name: str
    held_at: int
    has_viewed: bool
    refused_at: int | None = None
    stop_at: int | None = None
    stop_waits_until: int | None = None
    link: Link | OldLink = field(default_factory=OldLink)
    takes_telemetry: bool = False
    reads: frozenset[str] = frozenset()
    person: Person | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """Who drives. `driver` is the name of the fence's holder, and `person` who that is, if known.

    `applied` is the epoch up to which the sessions have followed the changes of holder, and
    `listed` the one at which the server has listed the sessions that exist.
    """

    fence: Fence = field(default_factory=Fence)
    driver: str | None = None
    person: Person | None = None
    applied: int = 0
    listed: int = 0


@dataclass(frozen=True, slots=True)
class Latch:
    """Who has stopped the robot: a `person`, its own `program`, or both; None for neither."""

    person: str | None = None
    program: str | None = None

    @property
    def by(self) -> str | None:
        """Whom to name; None if the robot is not stopped."""
        return self.program or self.person


@dataclass(frozen=True, slots=True)
class Right:
    """What a session may do, as the server last said, and until when, in ms.

    `until` is None if no end is known. `has_ended` once the robot has stopped because of it.
    """

    drive: bool = True
    owner: bool = False
    until: int | None = None
    has_ended: bool = False

    def is_over(self, now: int) -> bool:
        """Whether it has ended at `now`, in ms."""
        return self.until is not None and now >= self.until


@dataclass(frozen=True, slots=True)
class TelemetryState:
    """The newest value of each field, and how often something was published.

    It is sent at `due_at`, None before the first, and not before `next_at`, in ms.
    """

    values: Published = ()
    n: int = 0
    next_at: int = 0
    due_at: int | None = None


@dataclass(frozen=True, slots=True)
class RobotState:
    """All that the robot knows.

    `held` is where the controls are that a stop leaves so. `resumed_at` is when its process last
    went on after it was suspended, in ms. Once it `has_ended`, the robot has stopped its motors,
    and nothing moves them any more.
    """

    registration: Registration
    settings: Settings = field(default_factory=Settings)
    control: Control = field(default_factory=Control)
    peers: Mapping[SessionId, Peer] = field(default_factory=dict)
    pending: Pending = field(default_factory=Pending)
    motion: Motion = field(default_factory=Motion)
    rights: Mapping[SessionId, Right] = field(default_factory=dict)
    latch: Latch = field(default_factory=Latch)
    held: tuple[float | str | None, ...] = ()
    telemetry: TelemetryState = field(default_factory=TelemetryState)
    resumed_at: int = 0
    has_ended: bool = False


Step = tuple[RobotState, list[Action]]
"""The state after an event, and what to do, in order."""


def change_fence(state: RobotState, fence: Fence, person: Person | None) -> Step:
    """Set the fence; whenever it changes, the robot stops and says who drives.

    `person` is the new holder, None if that is not known.
    """
    before = state.control
    if fence == before.fence:
        return state, []
    driver = _name_driver(state, fence, person)
    state, stops = stop(state, has_gap=False)
    changed = replace(
        state,
        control=replace(before, fence=fence, driver=driver, person=person),
        peers={session: _change_driver(peer) for session, peer in state.peers.items()},
        registration=state.registration.note_fence(),
    )
    actions: list[Action] = [*stops, show(changed)]
    if driver is not None or before.driver is not None:
        actions.append(Log(f"{driver or 'no one'} drives (epoch {fence.epoch})"))
    return changed, actions


def _change_driver(peer: Peer) -> Peer:
    """Return a peer that has not driven yet, and is told at once who drives."""
    link = peer.link
    return replace(
        peer, link=OldLink() if isinstance(link, OldLink) else replace(link, heartbeat_at=0)
    )


def stop(state: RobotState, *, has_gap: bool) -> Step:
    """Stop the motors if they run; the next motion needs a command with both axes at 0 first.

    The robot stops when no command has come in time or its process was suspended (`driving`), at
    every change of driver (`change_fence`), when the driver's right has ended (`rights`), when a
    person or its own program stops it (`latch`), and before it ends (`machine.step`). `Motors` has
    a watchdog of its own, and also stops after a call that failed.

    `has_gap`: commands have not come in time, so that those of old pages may have waited.
    """
    stops: list[Action] = [] if state.motion.until is None else [Move(STILL)]
    peers = {session: _disarm(peer, has_gap=has_gap) for session, peer in state.peers.items()}
    return replace(state, motion=Motion(), peers=peers), stops


def _disarm(peer: Peer, *, has_gap: bool) -> Peer:
    link = replace(peer.link, is_armed=False)
    if isinstance(link, OldLink) and has_gap:
        link = replace(link, has_gap=True)
    return replace(peer, link=link)


def show(state: RobotState) -> Show:
    """Return what people see of who drives."""
    control, holder = state.control, state.control.fence.holder
    right = None if holder is None else state.rights.get(holder)
    return Show(
        control.driver,
        control.fence.epoch,
        stopped_by=state.latch.by,
        right_ended=right is not None and right.has_ended,
    )


def _name_driver(state: RobotState, fence: Fence, person: Person | None) -> str | None:
    if fence.holder is None:
        return None
    if person is not None:
        return display_name(person)
    peer = state.peers.get(fence.holder)
    return "somebody" if peer is None else peer.name


def close_peer(state: RobotState, session: SessionId) -> Step:
    """Remove this session's peer, and close it if it is open."""
    peer = state.peers.get(session)
    if peer is None:
        return state, []
    peers = {key: other for key, other in state.peers.items() if key != session}
    return replace(state, peers=peers), [] if peer.failed else [Shut(session, peer.pc_id)]


def end_session(state: RobotState, session: SessionId) -> Step:
    """Remove this session's peer and its offer that waits."""
    return close_peer(remove_offer(state, session), session)


def remove_offer(state: RobotState, session: SessionId) -> RobotState:
    """Return without this session's offer that waits."""
    pending = replace(state.pending, offers=state.pending.offers.remove(session))
    return replace(state, pending=pending)


def is_known(state: RobotState, session: SessionId) -> bool:
    """Whether the robot has had an offer of this session, which has not ended."""
    waiting = (frame.session_id for frame in state.pending.offers.frames())
    return session in state.peers or session in waiting


def post(state: RobotState, frame: dict[str, Any]) -> Step:
    """Send a frame about a session, as soon as the robot is registered."""
    registration = state.registration
    outbox, sends = state.pending.outbox.post(
        frame, is_registered=registration.is_registered, registers=registration.registers
    )
    return replace(state, pending=replace(state.pending, outbox=outbox)), sends


def ping_early(state: RobotState, now: int) -> Step:
    """Ping ahead of time, if that is allowed yet: the answer says who drives, and who may."""
    renewed, pings = registration.ping_early(state.registration, now)
    return replace(state, registration=renewed), pings


def put_peer(state: RobotState, session: SessionId, peer: Peer) -> RobotState:
    """Return with this peer in place of the session's older one."""
    return replace(state, peers={**state.peers, session: peer})


def record_holder(state: RobotState, session: SessionId | None, epoch: int) -> RobotState:
    """Remember that this session, if it has a peer, held the lease at this epoch."""
    peer = None if session is None else state.peers.get(session)
    if session is None or peer is None or epoch < peer.held_at:
        return state
    return put_peer(state, session, replace(peer, held_at=epoch, has_viewed=False))


def find_peer(state: RobotState, session: SessionId, pc: PcId) -> Peer | None:
    """Return the session's peer if it is still this peer connection, and has not failed."""
    peer = state.peers.get(session)
    return peer if peer is not None and peer.pc_id == pc and not peer.failed else None
