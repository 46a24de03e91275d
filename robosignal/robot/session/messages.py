"""What each message on a peer's data channels makes the robot do."""

from msgspec import UNSET

from robosignal.robot.session import channels, driving, latch, telemetry
from robosignal.robot.session.datachannel import (
    Capabilities,
    ClearStopRequest,
    Command,
    DeclaredChannel,
    FreshCommand,
    Offer,
    Picture,
    Ping,
    Pong,
    Refused,
    StopRequest,
    encode,
    parse,
    parse_drive,
)
from robosignal.robot.session.events import Action, Message, Opened, Renegotiate, Say
from robosignal.robot.session.state import Peer, RobotState, Step, find_peer


def handle_opened(state: RobotState, event: Opened) -> Step:
    """Declare what the robot does as `control` opens, and begin heartbeats as `drive` does."""
    peer = find_peer(state, event.session_id, event.pc_id)
    if peer is None:
        return state, []
    if event.channel == "drive":
        return driving.open_link(state, event.session_id, peer), []
    if event.channel == "telemetry":
        return telemetry.open_channel(state, event.session_id, peer)
    if event.channel != "control":
        return channels.open_channel(state, event.session_id, peer, event.channel), []
    says: list[Action] = [Say(event.session_id, event.pc_id, encode(_declare(state)))]
    if state.latch.by is not None:
        says.append(Say(event.session_id, event.pc_id, latch.describe(state)))
    return state, says


def _declare(state: RobotState) -> Capabilities:
    settings = state.settings
    controls, fields = settings.controls.declared, settings.telemetry.declared
    return Capabilities(
        fresh_ms=settings.fresh_ms,
        watchdog_ms=settings.watchdog_ms,
        video=None if settings.fps is None else Picture(settings.fps),
        drive=settings.has_drive if controls else UNSET,
        command_hz=settings.command_hz if controls else UNSET,
        controls=controls or UNSET,
        telemetry=fields or UNSET,
        cameras=settings.cameras or UNSET,
        audio=settings.has_audio or UNSET,
        talk_back=settings.has_talk_back or UNSET,
        channels=tuple(
            DeclaredChannel(each.name, each.viewers_read, each.viewers_write)
            for each in settings.channels.values()
        )
        or UNSET,
    )


def handle_message(  # noqa: PLR0911 - one for each message
    state: RobotState, event: Message, now: int
) -> Step:
    """Act on a message; those of a peer connection that the session has replaced are dropped."""
    peer = find_peer(state, event.session_id, event.pc_id)
    if peer is None:
        return state, []
    if event.channel == "drive":
        return _handle_drive(state, event, peer, now)
    if event.channel != "control":
        return channels.deliver(state, event, peer, now)
    match parse(event.data):
        case Ping(n):
            return state, [_say(event, encode(Pong(n)))]
        case Command() as command:
            return driving.obey_old(state, event, peer, command, now)
        case StopRequest():
            return latch.stop_for(state, event, peer, now)
        case ClearStopRequest():
            return latch.clear_for(state, event, peer, now)
        case Offer(sdp):
            return state, [Renegotiate(event.session_id, event.pc_id, sdp, "control")]
        case None:
            return state, [_say(event, _echo(state, event))]


def _handle_drive(state: RobotState, event: Message, peer: Peer, now: int) -> Step:
    match parse_drive(event.data):
        case FreshCommand() as command:
            return driving.obey_fresh(state, event, peer, command, now)
        case StopRequest():
            return latch.stop_for(state, event, peer, now)
        case None:
            return state, []


def _echo(state: RobotState, event: Message) -> str | bytes:
    if state.control.fence.obeys(event.session_id):
        return event.data
    return encode(Refused(epoch=state.control.fence.epoch))


def _say(event: Message, data: str | bytes) -> Say:
    return Say(event.session_id, event.pc_id, data)
