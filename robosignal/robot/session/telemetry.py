"""When each session gets the telemetry that the robot's program publishes."""

from dataclasses import replace

from robosignal.protocol.ids import SessionId
from robosignal.robot.session.datachannel import Telemetry, encode
from robosignal.robot.session.events import Action, Channel, Publish, Say
from robosignal.robot.session.state import Peer, RobotState, Step, put_peer
from robosignal.robot.telemetry import merge

SPACING_MS = 15
"""How far apart telemetry is sent at least; of what is published meanwhile, the newest counts."""

REPEAT_MS = 1000
"""After how long the newest telemetry is sent once more: packets get lost."""


def open_channel(state: RobotState, session: SessionId, peer: Peer) -> Step:
    """Tell a session that has opened `telemetry` all that is known."""
    state = put_peer(state, session, replace(peer, takes_telemetry=True))
    if not state.telemetry.values:
        return state, []
    return state, [Say(session, peer.pc_id, _describe(state), "telemetry")]


def publish(state: RobotState, event: Publish, now: int) -> Step:
    """Send what was published: at once if it is to be reliable, else as soon as it is time."""
    before = state.telemetry
    telemetry = replace(before, values=merge(before.values, event.values), n=before.n + 1)
    due = min(before.due_at or now, now) if now >= before.next_at else before.next_at
    state = replace(state, telemetry=replace(telemetry, due_at=due))
    said: list[Action] = []
    if event.is_reliable:
        message = encode(Telemetry(n=telemetry.n, values=event.values))
        said = _tell(state, message, "control")
    state, sent = send_due(state, now)
    return state, [*said, *sent]


def send_due(state: RobotState, now: int) -> Step:
    """Send the newest telemetry to all who take it, if it is time."""
    telemetry = state.telemetry
    if telemetry.due_at is None or now < telemetry.due_at:
        return state, []
    sent = replace(telemetry, next_at=now + SPACING_MS, due_at=now + REPEAT_MS)
    return replace(state, telemetry=sent), _tell(state, _describe(state), "telemetry")


def due_times(state: RobotState) -> list[int]:
    """Return when telemetry is sent next, in ms."""
    return [] if state.telemetry.due_at is None else [state.telemetry.due_at]


def _describe(state: RobotState) -> str:
    return encode(Telemetry(n=state.telemetry.n, values=state.telemetry.values))


def _tell(state: RobotState, message: str, channel: Channel) -> list[Action]:
    return [
        Say(session, peer.pc_id, message, channel)
        for session, peer in state.peers.items()
        if peer.takes_telemetry and not peer.failed
    ]
