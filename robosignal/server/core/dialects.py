"""Writes each relayed message and each notice in its receiver's dialect.

A seed receiver gets only frames that the seed's own robots and pages read; what they cannot know
becomes None. Between v1 ends the payload passes untouched; from or to a seed it is brought to what
the receiver reads: a description with its type, a candidate as a whole RTCIceCandidateInit.
"""

from typing import Any

from robosignal.protocol.errors import BadMessage
from robosignal.protocol.frames import (
    AnswerRelay,
    CandidateRelay,
    Frame,
    OfferRelay,
    Person,
    Relay,
    TakeoverNotice,
    TakeoverReason,
)
from robosignal.protocol.messages import Answer, Dialect, IceCandidate, Offer, Role
from robosignal.protocol.seed import PageKeepalive, RobotKeepalive, SeedError, SeedRelay
from robosignal.server.core.records import Recipient, Robot, Session

AnyFrame = Frame | SeedRelay | SeedError | RobotKeepalive | PageKeepalive
Payload = dict[str, Any]

RELAYS: dict[type[Offer | Answer | IceCandidate], type[Relay]] = {
    Offer: OfferRelay,
    Answer: AnswerRelay,
    IceCandidate: CandidateRelay,
}


def translate_for_robot(
    robot: Robot, session: Session, role: Role, message: Offer | Answer | IceCandidate
) -> AnyFrame:
    """Return a client's message as this robot reads it.

    Raise BadMessage when a seed's end is in it, and it holds no candidate that can be read.
    """
    if robot.dialect == "seed":
        ends = (session.connection_id, robot.robot_id)
        return _seed_relay(robot, session, message, ends, session.dialect)
    return _v1_relay(robot, session, role, message, session.dialect, person=session.person)


def translate_for_client(
    robot: Robot, session: Session, role: Role, message: Offer | Answer | IceCandidate
) -> AnyFrame:
    """Return a robot's message as the client of this session reads it.

    Raise BadMessage as `translate_for_robot` does.
    """
    if session.dialect == "seed":
        if isinstance(message, Answer) and message.payload.get("type") == "error":
            return _refusal(message.payload)
        ends = (robot.robot_id, session.connection_id)
        return _seed_relay(robot, session, message, ends, robot.dialect)
    return _v1_relay(robot, session, role, message, robot.dialect, person=None)


def _v1_relay(
    robot: Robot,
    session: Session,
    role: Role,
    message: Offer | Answer | IceCandidate,
    spoken: Dialect,
    *,
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
        payload=_payload_for_v1(message, spoken),
    )


def _seed_relay(
    robot: Robot,
    session: Session,
    message: Offer | Answer | IceCandidate,
    ends: tuple[str, str],
    spoken: Dialect,
) -> SeedRelay:
    sender, to = ends
    word, payload = _seed_words(message, spoken)
    loose: dict[str, Any] = {
        name: payload[name] for name in ("sdp", "candidate") if name in payload
    }
    return SeedRelay(
        type=word,
        robot_id=robot.robot_id,
        sender=sender,
        to=to,
        client=session.connection_id,
        payload=payload,
        **loose,
    )


def _refusal(payload: Payload) -> SeedError:
    """Return what a seed page reads when a robot refuses its offer: the server's own error."""
    code, message = payload.get("code"), payload.get("message")
    return SeedError(
        error=code if isinstance(code, str) else "not_acceptable",
        message=message if isinstance(message, str) else "the robot refuses the offer",
    )


def _seed_words(message: Offer | Answer | IceCandidate, spoken: Dialect) -> tuple[str, Payload]:
    """Return the type and the payload that a seed receiver reads."""
    between_seeds = spoken == "seed"
    if not isinstance(message, IceCandidate):
        payload = message.payload if between_seeds else _flat(message.payload)
        return type(message).__name__.lower(), payload
    if between_seeds and message.word != "candidate":
        # The seed's own robots and pages never send `ice-candidate`: other clients keep the word.
        return message.word, message.payload
    # RTCIceCandidate's constructor takes none without a section, not even the last one.
    return "candidate", {"candidate": _in_section(_candidate_init(message.payload))}


def _payload_for_v1(message: Offer | Answer | IceCandidate, spoken: Dialect) -> Payload:
    """Return the payload that a v1 receiver reads, of a message sent in either dialect."""
    if spoken == "v1":
        return message.payload
    if not isinstance(message, IceCandidate):
        flat = _flat(message.payload)
        return flat | {"type": flat.get("type") or type(message).__name__.lower()}
    init = _candidate_init(message.payload)
    return _in_section(init) if init["candidate"] else init


def has_description(payload: Payload) -> bool:
    """Say whether a payload holds a session description in any spelling."""
    return isinstance(_flat(payload).get("sdp"), str)


def _flat(payload: Payload) -> Payload:
    """Return an RTCSessionDescriptionInit whose `sdp` is text, if its `sdp` is another such."""
    inner = payload.get("sdp")
    return payload | inner if isinstance(inner, dict) else payload


def _candidate_init(payload: Payload) -> Payload:
    """Return the RTCIceCandidateInit (W3C WebRTC, section 4.8.1.2) that a payload holds.

    It may be the payload, or its `candidate`; null is "", which ends the candidates.
    """
    if "candidate" not in payload:
        raise BadMessage("candidate", "is missing")
    inner = payload["candidate"]
    init = payload | {"candidate": None} | inner if isinstance(inner, dict) else payload
    text = "" if init["candidate"] is None else init["candidate"]
    if not isinstance(text, str):
        raise BadMessage("candidate", "must be text, an RTCIceCandidateInit object or null")
    return init | {"candidate": text}


def _in_section(init: Payload) -> Payload:
    """Name the first media section if none is named: when all are bundled, its path is theirs.

    A browser refuses a candidate that names none (W3C WebRTC, section 4.4.2, addIceCandidate).
    """
    names = init.get("sdpMid") is not None or init.get("sdpMLineIndex") is not None
    return init if names else init | {"sdpMLineIndex": 0}


def takeover_frame(robot: Robot, holder: Session, reason: TakeoverReason) -> TakeoverNotice | None:
    """Return the notice that tells this robot that the lease was taken over.

    None for a seed robot: any frame but an offer or candidate ends its read loop. The offer that
    follows tells it with whom to speak.
    """
    if robot.dialect == "seed":
        return None
    return TakeoverNotice(
        robot_id=robot.robot_id,
        by=holder.person,
        reason=reason,
        session_id=holder.session_id,
        epoch=robot.epoch,
    )


def for_v1_only(party: Recipient, frame: Frame) -> Frame | None:
    """Return the frame for a v1 party; None for a seed one, which is sent nothing unasked."""
    return None if party.dialect == "seed" else frame
