"""Who may say what on the channels of the application's own."""

from dataclasses import replace

from robosignal.protocol.ids import SessionId
from robosignal.robot.session import rights
from robosignal.robot.session.datachannel import Refused, encode
from robosignal.robot.session.events import Action, Deliver, Message, Post, Say
from robosignal.robot.session.state import Peer, RobotState, Step, put_peer


def open_channel(state: RobotState, session: SessionId, peer: Peer, label: str) -> RobotState:
    """Return with a peer that reads this channel, as far as it may."""
    if label not in state.settings.channels:
        return state
    return put_peer(state, session, replace(peer, reads=peer.reads | {label}))


def deliver(state: RobotState, event: Message, peer: Peer, now: int) -> Step:
    """Hand a message to the robot's program, if its sender may write on its channel."""
    channel = state.settings.channels.get(event.channel)
    if channel is None:
        return state, []
    drives = _drives(state, event.session_id, now)
    if not (drives or channel.viewers_write) or channel.on_message is None:
        refusal = Refused(what=event.channel, epoch=state.control.fence.epoch)
        return state, [Say(event.session_id, event.pc_id, encode(refusal))]
    return state, [Deliver(event.channel, event.data, peer.person, is_driver=drives)]


def post(state: RobotState, event: Post, now: int) -> Step:
    """Send a message of the robot's program to all who may read its channel, and have opened it."""
    channel = state.settings.channels[event.channel]
    says: list[Action] = [
        Say(session, peer.pc_id, event.data, event.channel)
        for session, peer in state.peers.items()
        if event.channel in peer.reads
        and not peer.failed
        and (channel.viewers_read or _drives(state, session, now))
    ]
    return state, says


def _drives(state: RobotState, session: SessionId, now: int) -> bool:
    return state.control.fence.obeys(session) and not rights.is_over(state, session, now)
