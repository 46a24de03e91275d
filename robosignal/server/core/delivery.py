"""Posting frames, and recording the loss of connections that turn out to be gone.

API Gateway answers 410 to a post to a connection that has ended: that is `Delivery.GONE`. Then
`deliver` and `notify` record the loss, by a write conditional on the connection that was found
gone: a robot's presence ends, and a session keeps its lease or place for the grace at most. The
sender of a relayed message gets RobotOffline or PeerGone. If a session's first frame to the robot
is lost, `acquisition.introduce` rolls the session back, and its sender gets RobotOffline. A lost
notice changes no reply but its `robotTold`, and a watcher that is gone is no longer one.

A frame never goes to a connection whose token has expired: that connection is closed instead, and
its loss is recorded likewise.
"""

from collections.abc import Iterable

import msgspec

from robosignal.protocol import limits
from robosignal.protocol.errors import RobotOffline, SignalingError, TooLarge
from robosignal.protocol.frames import encode
from robosignal.protocol.ids import ConnectionId, RobotId
from robosignal.protocol.messages import Answer, IceCandidate, Offer, Role
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.dialects import AnyFrame
from robosignal.server.core.notices import Notice
from robosignal.server.core.records import Recipient, Robot, Session
from robosignal.server.core.request import Request, grace_end
from robosignal.server.core.steps import (
    Action,
    Close,
    Delivery,
    Flow,
    Post,
    WriteRobot,
    attempt_all,
    perform_all,
)
from robosignal.server.core.writes import lease, presence, viewers

FRAME_BYTES_BESIDES = 4096
"""An upper bound of a relayed frame's size without its payload."""


def hand_over(recipient: Recipient, frame: AnyFrame, now: int) -> Post | Close:
    """Return the step that posts a frame, or closes a connection whose token has expired.

    `now` is in epoch ms. Raise RobotOffline if the recipient is a robot without a connection;
    TooLarge if the frame, in the recipient's dialect, exceeds a message's limit.
    """
    if recipient.connection_id is None:
        raise RobotOffline(recipient.robot_id)
    return hand_over_to(recipient.connection_id, recipient.expires_at, frame, now)


def hand_over_to(
    connection: ConnectionId, expires_at: int, frame: AnyFrame, now: int
) -> Post | Close:
    """Return the step that posts a frame to a connection whose token expires at `expires_at`."""
    if expires_at <= now:
        return Close(connection)
    data = encode(frame)
    if len(data) > limits.MESSAGE_BYTES:
        raise TooLarge("message", limits.MESSAGE_BYTES)
    return Post(connection, data)


def find_delivery(step: Action, outcome: object) -> Delivery:
    """Return what became of a frame, given the step of `hand_over` and its outcome."""
    if isinstance(outcome, Delivery):
        return outcome
    failed = isinstance(outcome, SignalingError) or not isinstance(step, Close)
    return Delivery.FAILED if failed else Delivery.EXPIRED


def refuse_oversize(message: Offer | Answer | IceCandidate) -> None:
    """Raise TooLarge if a frame with this payload could exceed a message's limit.

    For messages that cause a write before their frame can be built. A seed frame contains its SDP
    twice.
    """
    payload = message.payload
    twice = [payload[name] for name in ("sdp", "candidate") if name in payload]
    size = sum(len(msgspec.json.encode(each)) for each in (payload, *twice))
    if size > limits.MESSAGE_BYTES - FRAME_BYTES_BESIDES:
        raise TooLarge("payload", limits.MESSAGE_BYTES)


def deliver(request: Request, robot_id: RobotId, notice: Notice) -> Flow[Delivery]:
    """Post one frame; record the loss if its recipient's connection has ended.

    Raise TryAgain if it could not be posted. Failing to record a loss changes nothing: the next
    frame to that recipient does it.
    """
    step = hand_over(notice.recipient, notice.frame, request.now)
    (outcome,) = yield from perform_all((step,))
    delivery = find_delivery(step, outcome)
    if delivery.is_connection_lost:
        yield from attempt_all(loss_steps(request, robot_id, notice), "undo")
    return delivery


def notify(request: Request, robot_id: RobotId, notices: Iterable[Notice]) -> Flow[bool]:
    """Post all these frames in parallel, then record the losses in parallel.

    Return whether every frame for the robot was sent; True if none was for it. Raise nothing,
    because what the frames tell has happened already: a recipient that misses one learns who
    drives, or that its session has ended, from the reply to its next ping.
    """
    sent = tuple(each for each in notices if _may_hear(each, request.now))
    steps = [hand_over(each.recipient, each.frame, request.now) for each in sent]
    outcomes = yield from attempt_all(steps)
    results = [
        (notice, find_delivery(step, outcome))
        for notice, step, outcome in zip(sent, steps, outcomes, strict=True)
    ]
    lost = [notice for notice, delivery in results if delivery.is_connection_lost]
    yield from attempt_all(step for each in lost for step in loss_steps(request, robot_id, each))
    return all(
        delivery is Delivery.SENT
        for notice, delivery in results
        if isinstance(notice.recipient, Robot)
    )


def _may_hear(notice: Notice, now: int) -> bool:
    """Say whether a notice may be sent: not to a session whose share has ended.

    That its session ends, everyone may hear: such a notice has no role.
    """
    recipient = notice.recipient
    if isinstance(recipient, Robot) or notice.role is None:
        return True
    return recipient.has_right(now)


def loss_steps(request: Request, robot_id: RobotId, notice: Notice) -> Iterable[WriteRobot]:
    """Yield the write that records that the notice's recipient has lost its connection."""
    recipient = notice.recipient
    if isinstance(recipient, Robot):
        if recipient.connection_id is not None:
            yield WriteRobot(robot_id, presence.record_loss(recipient.connection_id))
    elif notice.role is not None:
        yield WriteRobot(robot_id, loss_write(recipient, notice.role, request.now))


def loss_write(session: Session, role: Role, now: int) -> Write:
    """Return the write that records a session's lost connection, and limits it to the grace."""
    until = grace_end(now)
    lost = session.session_id, session.connection_id, now, until
    if session.until > until:
        return viewers.begin_grace(*lost) if role == "viewer" else lease.begin_grace(*lost)
    return viewers.record_late_loss(*lost) if role == "viewer" else lease.record_late_loss(*lost)
