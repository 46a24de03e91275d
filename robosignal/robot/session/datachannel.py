"""The data channel `control`: its messages, and whose commands are carried out."""

from dataclasses import replace

from msgspec import MsgspecError, Struct, json

from robosignal.robot.drive import Drive, Motion
from robosignal.robot.session import registration
from robosignal.robot.session.events import Log, Message, Move, Say
from robosignal.robot.session.state import Peer, RobotState, Step, find_peer, put_peer


class Ping(Struct, frozen=True, tag_field="type", tag="ping"):
    """Asks for a `Pong` with the same number: any session may measure the round trip."""

    n: int


class Command(Struct, frozen=True, tag_field="type", tag="command"):
    """Asks the robot to drive."""

    n: int
    drive: Drive


class Pong(Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to a ping."""

    n: int


class Done(Struct, frozen=True, tag_field="type", tag="done"):
    """The command was carried out, at this epoch."""

    n: int
    epoch: int


class Refused(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="refused"
):
    """The message was not carried out: at this epoch another session drives, or none."""

    n: int | None = None
    epoch: int


_decoder: json.Decoder[Ping | Command] = json.Decoder(Ping | Command)


def parse(message: str | bytes) -> Ping | Command | None:
    """Return what the robot understands of a message; None for any other text or bytes."""
    if isinstance(message, bytes):
        return None
    try:
        return _decoder.decode(message)
    # ValueError covers a lone surrogate, which cannot be encoded; nesting ends in RecursionError.
    except (MsgspecError, ValueError, RecursionError):
        return None


def encode(reply: Pong | Done | Refused) -> str:
    """Return a reply as the text that goes over the channel."""
    return json.encode(reply).decode()


def handle_message(state: RobotState, event: Message, now: int) -> Step:
    """Reply to a message; those of a peer connection that the session has replaced are dropped."""
    peer = find_peer(state, event.session_id, event.pc_id)
    if peer is None:
        return state, []
    match parse(event.data):
        case Ping(n):
            return state, [_say(event, encode(Pong(n)))]
        case Command() as command if state.control.fence.obeys(event.session_id):
            return _carry_out(state, event, command, now)
        case Command() as command:
            return _refuse(state, event, peer, command, now)
        case None:
            return state, [_say(event, _echo(state, event))]


def _carry_out(state: RobotState, event: Message, command: Command, now: int) -> Step:
    done = _say(event, encode(Done(command.n, state.control.fence.epoch)))
    motion = Motion.begin(command.drive, now)
    return replace(state, motion=motion), [Move(command.drive), done]


def _refuse(state: RobotState, event: Message, peer: Peer, command: Command, now: int) -> Step:
    refusal = _say(event, encode(Refused(n=command.n, epoch=state.control.fence.epoch)))
    state, logs = _log_once(state, event, peer)
    # The refused session may hold the lease, and the frame that said so may be missing.
    changed, pings = registration.ping_early(state.registration, now)
    return replace(state, registration=changed), [refusal, *logs, *pings]


def _log_once(state: RobotState, event: Message, peer: Peer) -> Step:
    epoch, driver = state.control.fence.epoch, state.control.driver
    if peer.refused_at == epoch:
        return state, []
    whose = f"{driver}'s" if driver else "nobody's"
    log = Log(f"refused a command of {peer.name} (epoch {epoch} is {whose})")
    return put_peer(state, event.session_id, replace(peer, refused_at=epoch)), [log]


def _echo(state: RobotState, event: Message) -> str | bytes:
    if state.control.fence.obeys(event.session_id):
        return event.data
    return encode(Refused(epoch=state.control.fence.epoch))


def _say(event: Message, data: str | bytes) -> Say:
    return Say(event.session_id, event.pc_id, data)
