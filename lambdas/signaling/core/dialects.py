"""Writes each relayed message and each notice in its receiver's dialect.

A seed receiver gets only frames that the seed had; what it cannot know becomes None. The
payload passes through untouched.
"""

from typing import Any

from signaling.core.records import Party, Robot, Session
from signaling.wire.frames import (
    AnswerRelay,
    CandidateRelay,
    Frame,
    OfferRelay,
    Person,
    Relay,
    TakeoverNotice,
    TakeoverReason,
)
from signaling.wire.messages import Answer, Dialect, IceCandidate, Offer, Role
from signaling.wire.seed import SeedRelay, SeedTakeover

AnyFrame = Frame | SeedRelay | SeedTakeover

RELAYS: dict[type[Offer | Answer | IceCandidate], type[Relay]] = {
    Offer: OfferRelay,
    Answer: AnswerRelay,
    IceCandidate: CandidateRelay,
}


def relayed_to_robot(
    robot: Robot, session: Session, role: Role, message: Offer | Answer | IceCandidate
) -> AnyFrame:
    """Return a client's message as this robot reads it."""
    if robot.dialect == "seed":
        ends = (session.connection_id, robot.robot_id)
        return _seed(robot, session, message, ends, session.dialect)
    return _v1(robot, session, role, message, session.person)


def relayed_to_client(
    robot: Robot, session: Session, role: Role, message: Offer | Answer | IceCandidate
) -> AnyFrame:
    """Return a robot's message as the client of this session reads it."""
    if session.dialect == "seed":
        ends = (robot.robot_id, session.connection_id)
        return _seed(robot, session, message, ends, robot.dialect)
    return _v1(robot, session, role, message, None)


def _v1(
    robot: Robot,
    session: Session,
    role: Role,
    message: Offer | Answer | IceCandidate,
    person: Person | None,
) -> Relay:
    is_holder = robot.controller is not None and robot.controller.session_id == session.session_id
    return RELAYS[type(message)](
        robot_id=robot.robot_id,
        session_id=session.session_id,
        person=person,
        role=role,
        epoch=robot.epoch if is_holder else None,
        pc_id=message.pc_id,
        seq=message.seq,
        payload=message.payload,
    )


def _seed(
    robot: Robot,
    session: Session,
    message: Offer | Answer | IceCandidate,
    ends: tuple[str, str],
    spoken: Dialect,
) -> SeedRelay:
    sender, to = ends
    loose: dict[str, Any] = {
        name: message.payload[name] for name in ("sdp", "candidate") if name in message.payload
    }
    return SeedRelay(
        type=_seed_word(message, spoken),
        robot_id=robot.robot_id,
        sender=sender,
        to=to,
        client=session.connection_id,
        payload=message.payload,
        **loose,
    )


def _seed_word(message: Offer | Answer | IceCandidate, spoken: Dialect) -> str:
    """Return the frame's type: between seeds a candidate keeps the word that the sender used."""
    if isinstance(message, IceCandidate):
        return message.word if spoken == "seed" else "ice-candidate"
    return type(message).__name__.lower()


def takeover_notice(robot: Robot, holder: Session, reason: TakeoverReason) -> AnyFrame:
    """Return what tells this robot that the lease was taken over."""
    if robot.dialect == "seed":
        return SeedTakeover(robot_id=robot.robot_id, by=holder.user_id)
    return TakeoverNotice(
        robot_id=robot.robot_id,
        by=holder.person,
        reason=reason,
        session_id=holder.session_id,
        epoch=robot.epoch,
    )


def unless_seed(party: Party, frame: Frame) -> Frame | None:
    """Return the frame for a v1 party; None for a seed one, which is sent nothing unasked."""
    return None if party.dialect == "seed" else frame
