"""Which commands the robot obeys: those that prove that they are fresh, and those of old pages."""

from dataclasses import replace

from msgspec.structs import replace as changed

from robosignal.protocol.ids import SessionId
from robosignal.robot.drive import REST, STILL, Motion, Target
from robosignal.robot.session import rights
from robosignal.robot.session.datachannel import (
    Command,
    Done,
    FreshCommand,
    Heartbeat,
    Refused,
    encode,
)
from robosignal.robot.session.events import Action, Log, Message, Move, OwnCommand, Say
from robosignal.robot.session.state import (
    Link,
    OldLink,
    Peer,
    RobotState,
    Step,
    ping_early,
    put_peer,
    stop,
)

DRIVER_HEARTBEAT_MS = 50
"""How often the driver's session gets a heartbeat, in ms."""

VIEWER_HEARTBEAT_MS = 500
"""How often every other session gets one."""

IGNORED_MS = 300
"""For how long an old page's commands are ignored after a gap: those that have waited come then."""


def obey_fresh(
    state: RobotState, event: Message, peer: Peer, command: FreshCommand, now: int
) -> Step:
    """Obey a command from `drive`, or count why not; the next heartbeat tells its sender."""
    link = peer.link if isinstance(peer.link, Link) else Link()
    target = _read_target(state, command)
    reason = _find_reason(state, event.session_id, link, command, now)
    if reason is None and target is not None:
        link = replace(link, last_n=command.n, is_armed=link.is_armed or target == REST)
        state = put_peer(state, event.session_id, replace(peer, link=link))
        return _carry_out(state, target, now)
    reason = reason or "refused"
    count = getattr(link.refusals, reason) + 1
    link = replace(link, refusals=changed(link.refusals, **{reason: count}))
    peer = replace(peer, link=link)
    state = put_peer(state, event.session_id, peer)
    fence = state.control.fence
    if not fence.obeys(event.session_id):
        return _ask_who_drives(state, event.session_id, peer, now)
    # A page that knows of a later epoch has heard what the robot has not.
    return ping_early(state, now) if command.epoch > fence.epoch else (state, [])


def _read_target(state: RobotState, command: FreshCommand) -> Target | None:
    """Return what a command asks for; None if it gives a control what that cannot have."""
    try:
        return Target(command.drive, state.settings.controls.read(command.values))
    except ValueError:
        return None


def _find_reason(
    state: RobotState, session: SessionId, link: Link, command: FreshCommand, now: int
) -> str | None:
    """Return why a command is not obeyed, as `Refusals` counts it; None if it is."""
    if _is_fenced(state, session, command.epoch):
        return "refused"
    if link.last_n is not None and command.n <= link.last_n:
        return "superseded"
    # What its sender has heard from before a suspension says nothing of the robot since.
    oldest = max(now - state.settings.fresh_ms, state.resumed_at)
    if not oldest <= command.t <= now:
        return "stale"
    target = _read_target(state, command)
    is_obeyed = target is not None and (link.is_armed or target == REST)
    return None if is_obeyed and _may_drive(state, session, now) else "refused"


def _is_fenced(state: RobotState, session: SessionId, epoch: int) -> bool:
    fence = state.control.fence
    return not fence.obeys(session) or epoch != fence.epoch


def _may_drive(state: RobotState, session: SessionId, now: int) -> bool:
    return state.latch.by is None and not rights.is_over(state, session, now)


def _carry_out(state: RobotState, target: Target, now: int) -> Step:
    motion = Motion.begin(target, now, state.settings.watchdog_ms)
    return replace(state, motion=motion), [Move(target.drive, target.values)]


def obey_program(state: RobotState, event: OwnCommand, now: int) -> Step:
    """Obey the robot's own program while no one drives; every person displaces it.

    Before the server has said who drives, somebody may. What has waited for longer than a driver's
    command may, or from before a suspension, is not obeyed either.
    """
    fence = state.control.fence
    oldest = max(now - state.settings.fresh_ms, state.resumed_at)
    if event.since is not None and event.since < oldest:
        return state, []
    if fence.holder is not None or fence.epoch == 0 or state.latch.by is not None:
        return state, []
    try:
        target = Target(event.drive, state.settings.controls.read(event.values))
    except ValueError:
        return state, []
    return _carry_out(state, target, now)


def obey_old(state: RobotState, event: Message, peer: Peer, command: Command, now: int) -> Step:
    """Obey a command of an old page, or not, and say which.

    Such a command may have waited anywhere. So after a gap they are ignored for a while, and then
    one with both axes at 0 comes first. A page that has opened `drive` is never obeyed here.
    """
    session, epoch = event.session_id, state.control.fence.epoch
    refusal = Say(session, event.pc_id, encode(Refused(n=command.n, epoch=epoch)))
    if not state.control.fence.obeys(session):
        state, asks = _ask_who_drives(state, session, peer, now)
        return state, [refusal, *asks]
    link = peer.link
    if isinstance(link, Link):
        return state, [refusal]
    if not state.settings.old_pages:
        state, logs = _log_old_page(state, session, peer)
        return state, [refusal, *logs]
    if link.has_gap:
        link = replace(link, has_gap=False, ignored_until=now + IGNORED_MS)
    is_ignored = now < link.ignored_until or not _may_drive(state, session, now)
    is_obeyed = not is_ignored and (link.is_armed or command.drive == STILL)
    link = replace(link, is_armed=link.is_armed or is_obeyed)
    state = put_peer(state, session, replace(peer, link=link))
    if not is_obeyed:
        return state, [refusal]
    state, moves = _carry_out(state, Target(command.drive), now)
    return state, [*moves, Say(session, event.pc_id, encode(Done(command.n, epoch)))]


def _ask_who_drives(state: RobotState, session: SessionId, peer: Peer, now: int) -> Step:
    state, logs = _log_refusal(state, session, peer)
    # The refused session may hold the lease, and the frame that said so may be missing.
    state, pings = ping_early(state, now)
    return state, [*logs, *pings]


def _log_refusal(state: RobotState, session: SessionId, peer: Peer) -> Step:
    driver = state.control.driver
    whose = f"{driver}'s" if driver else "no one's"
    text = f"refused a command of {peer.name} (epoch {state.control.fence.epoch} is {whose})"
    return _log_once(state, session, peer, text)


def _log_old_page(state: RobotState, session: SessionId, peer: Peer) -> Step:
    text = f"refused a command of {peer.name}: the page is too old to prove that it is fresh"
    return _log_once(state, session, peer, text)


def _log_once(state: RobotState, session: SessionId, peer: Peer, text: str) -> Step:
    epoch = state.control.fence.epoch
    if peer.refused_at == epoch:
        return state, []
    return put_peer(state, session, replace(peer, refused_at=epoch)), [Log(text)]


def open_link(state: RobotState, session: SessionId, peer: Peer) -> RobotState:
    """Return with a peer that has opened `drive`; heartbeats begin at once."""
    if isinstance(peer.link, Link):
        return state
    return put_peer(state, session, replace(peer, link=Link()))


def stop_late(state: RobotState, now: int) -> Step:
    """Stop if no command has come in time, or the driver's right has ended."""
    actions: list[Action] = []
    if state.motion.is_over(now):
        state, actions = stop(state, has_gap=True)
    state, ends = rights.end_right(state, now)
    return state, [*actions, *ends]


def resume(state: RobotState, now: int) -> Step:
    """Stop after the process was suspended: what has waited meanwhile is not obeyed."""
    state, stops = stop(state, has_gap=True)
    return replace(state, resumed_at=now), stops


def send_heartbeats(state: RobotState, now: int) -> Step:
    """Tell each session whose turn it is what has become of its commands."""
    actions: list[Action] = []
    for session, peer in state.peers.items():
        link = peer.link
        if isinstance(link, OldLink) or peer.failed or now < link.heartbeat_at:
            continue
        data = encode(_describe(state, link, now))
        actions.append(Say(session, peer.pc_id, data, "drive"))
        is_driver = state.control.fence.obeys(session)
        interval = DRIVER_HEARTBEAT_MS if is_driver else VIEWER_HEARTBEAT_MS
        state = put_peer(
            state, session, replace(peer, link=replace(link, heartbeat_at=now + interval))
        )
    return state, actions


def _describe(state: RobotState, link: Link, now: int) -> Heartbeat:
    control = state.control
    has_right = not rights.is_over(state, control.fence.holder, now)
    return Heartbeat(
        t=now,
        n=link.last_n,
        epoch=control.fence.epoch,
        driver=control.driver if has_right else None,
        armed=link.is_armed,
        refused=link.refusals,
        held=state.held,
    )


def due_times(state: RobotState) -> list[int]:
    """Return when the watchdog, the driver's right and the next heartbeats are due, in ms."""
    beats = [
        peer.link.heartbeat_at
        for peer in state.peers.values()
        if isinstance(peer.link, Link) and not peer.failed
    ]
    watchdog = [] if state.motion.until is None else [state.motion.until]
    return [*beats, *watchdog, *rights.due_times(state)]
