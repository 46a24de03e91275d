"""What the robot answers on a peer's data channel, and whose commands it carries out.

Knows the fence and the channel's messages; of signaling only that a ping may go early.
"""

from dataclasses import replace

from robosignal.robot.session import commands, registration
from robosignal.robot.session.commands import Command, Done, Ping, Pong, Refused
from robosignal.robot.session.events import Log, Message, Move, Say
from robosignal.robot.session.state import Peer, Robot, Stepped, of, with_peer


def message(seen: Robot, event: Message, now: int) -> Stepped:
    """Answer a message; those of a peer connection that is no longer the session's are dropped."""
    peer = of(seen, event.session_id, event.pc_id)
    if peer is None:
        return seen, []
    match commands.parse(event.data):
        case Ping(n):
            return seen, [_say(event, commands.written(Pong(n)))]
        case Command() as command if seen.fence.obeys(event.session_id):
            return _obey(seen, event, command, now)
        case Command() as command:
            return _refuse(seen, event, peer, command, now)
        case None:
            return seen, [_say(event, _echo(seen, event))]


def _obey(seen: Robot, event: Message, command: Command, now: int) -> Stepped:
    motion = commands.driven(command.drive, now)
    done = _say(event, commands.written(Done(command.n, seen.fence.epoch)))
    return replace(seen, motion=motion), [Move(command.drive), done]


def _refuse(seen: Robot, event: Message, peer: Peer, command: Command, now: int) -> Stepped:
    epoch = seen.fence.epoch
    refusal = _say(event, commands.written(Refused(n=command.n, epoch=epoch)))
    seen, told = _noted(seen, event, peer)
    # Who is refused may have come to drive without the robot's having been told.
    left, pings = registration.ping_early(seen.presence, now)
    return replace(seen, presence=left), [refusal, *told, *pings]


def _noted(seen: Robot, event: Message, peer: Peer) -> Stepped:
    epoch = seen.fence.epoch
    if peer.refused_at == epoch:
        return seen, []
    whose = f"{seen.driver}'s" if seen.driver else "nobody's"
    told = Log(f"refused a command of {peer.name} (epoch {epoch} is {whose})")
    return with_peer(seen, event.session_id, replace(peer, refused_at=epoch)), [told]


def _echo(seen: Robot, event: Message) -> str | bytes:
    if seen.fence.obeys(event.session_id):
        return event.data
    return commands.written(Refused(epoch=seen.fence.epoch))


def _say(event: Message, data: str | bytes) -> Say:
    return Say(event.session_id, event.pc_id, data)
