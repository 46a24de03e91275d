"""Hands frames over, and cleans up after whoever turns out to be gone.

A frame never goes to a connection whose token has expired: that connection is closed instead,
and counts as gone. Every clean-up is conditional on the connection that was found gone.
"""

from collections.abc import Iterable

import msgspec

from robosignal.protocol import limits
from robosignal.protocol.errors import TooLarge
from robosignal.protocol.frames import encode
from robosignal.protocol.ids import ConnectionId, RobotId
from robosignal.protocol.messages import Answer, IceCandidate, Offer, Role
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.dialects import AnyFrame
from robosignal.server.core.notices import Notice
from robosignal.server.core.records import Recipient, Robot, Session
from robosignal.server.core.request import Request, grace_end
from robosignal.server.core.steps import (
    Close,
    Flow,
    Post,
    Step,
    WriteRobot,
    attempt_all,
    perform_all,
)
from robosignal.server.core.writes import lease, presence, viewers

FRAME_BYTES_BESIDES = 4096
"""More than all of a relayed frame but its payload."""


def hand_over(party: Recipient, frame: AnyFrame, now: int) -> Step:
    """Return the step that hands a frame to a party; its outcome is False when it is gone.

    Raise TooLarge when the frame, in the receiver's dialect, is over a message's limit.
    """
    return hand_over_to(party.connection_id or ConnectionId(""), party.expires_at, frame, now)


def hand_over_to(connection: ConnectionId, expires_at: int, frame: AnyFrame, now: int) -> Step:
    """Return the step that hands a frame to a connection whose token expires then."""
    if expires_at <= now:
        return Close(connection)
    data = encode(frame)
    if len(data) > limits.MESSAGE_BYTES:
        raise TooLarge("message", limits.MESSAGE_BYTES)
    return Post(connection, data)


def refuse_oversize(message: Offer | Answer | IceCandidate) -> None:
    """Raise TooLarge if a frame with this payload could be over a message's limit.

    For what is written before its frame can be: a seed frame carries its SDP twice.
    """
    payload = message.payload
    twice = [payload[name] for name in ("sdp", "candidate") if name in payload]
    size = sum(len(msgspec.json.encode(each)) for each in (payload, *twice))
    if size > limits.MESSAGE_BYTES - FRAME_BYTES_BESIDES:
        raise TooLarge("payload", limits.MESSAGE_BYTES)


def deliver(request: Request, robot_id: RobotId, sent: Notice) -> Flow[bool]:
    """Hand one frame over; False, after the clean-up, when its receiver is gone.

    A failed clean-up does not change the answer: the next frame to that receiver repeats it.
    """
    (delivered,) = yield from perform_all([hand_over(sent.party, sent.frame, request.now)])
    if not delivered:
        yield from attempt_all(loss_steps(request, robot_id, sent), "reserved")
    return bool(delivered)


def notify(request: Request, robot_id: RobotId, notices: Iterable[Notice]) -> Flow[bool]:
    """Hand all these over in one round, and clean up after the gone in another.

    Return whether the robot has been handed what was for it, if anything was.

    What they tell of stands, so nothing is raised: whoever AWS is too busy to tell now learns
    who holds from the answer to their next ping, and a client that its session has ended.
    """
    sent = tuple(notices)
    steps = [hand_over(each.party, each.frame, request.now) for each in sent]
    outcomes = yield from attempt_all(steps)
    gone = [each for each, outcome in zip(sent, outcomes, strict=True) if is_gone(outcome)]
    yield from attempt_all(write for each in gone for write in loss_steps(request, robot_id, each))
    pairs = zip(sent, outcomes, strict=True)
    return all(outcome is True for each, outcome in pairs if isinstance(each.party, Robot))


def is_gone(outcome: object) -> bool:
    """Say whether a post or a close came to this because its connection is gone."""
    return outcome is None or outcome is False


def loss_steps(request: Request, robot_id: RobotId, gone: Notice) -> Iterable[Step]:
    """Return the write that records a lost socket, conditional on that very socket."""
    party = gone.party
    if isinstance(party, Robot):
        if party.connection_id is not None:
            yield WriteRobot(robot_id, presence.record_loss(party.connection_id))
    elif gone.role is not None:
        yield WriteRobot(robot_id, loss_write(party, gone.role, request.now))


def loss_write(session: Session, role: Role, now: int) -> Write:
    """Return the write that notes a lost socket, and limits its session to the grace."""
    until = grace_end(now)
    lost = session.session_id, session.connection_id, now, until
    if session.until > until:
        return viewers.begin_grace(*lost) if role == "viewer" else lease.begin_grace(*lost)
    return viewers.record_late_loss(*lost) if role == "viewer" else lease.record_late_loss(*lost)
