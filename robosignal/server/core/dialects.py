"""Translates relayed messages and the takeover notice into the recipient's dialect.

A seed recipient gets only frames that the seed's own robots and pages read. Between v1 ends the
payload is passed on unchanged; from or to a seed end it is converted to what the recipient reads: a
description with its type, a candidate as a complete RTCIceCandidateInit.
"""

from typing import Any

from msgspec import structs

from robosignal.protocol.errors import BadMessage
from robosignal.protocol.frames import (
    AnswerRelay,
    CandidateRelay,
    Frame,
    OfferRelay,
    Person,
    Relay,
    Right,
    TakeoverNotice,
    TakeoverReason,
)
from robosignal.protocol.messages import Answer, Dialect, IceCandidate, Offer, Role
from robosignal.protocol.seed import PageKeepalive, RobotKeepalive, SeedError, SeedRelay
from robosignal.server.core.records import Robot, Session

AnyFrame = Frame | SeedRelay | SeedError | RobotKeepalive | PageKeepalive
Payload = dict[str, Any]

RELAYS: dict[type[Offer | Answer | IceCandidate], type[Relay]] = {
    Offer: OfferRelay,
    Answer: AnswerRelay,
    IceCandidate: CandidateRelay,
}


def translate_for_robot(
    robot: Robot,
    session: Session,
    role: Role,
    message: Offer | Answer | IceCandidate,
    right: Right | None = None,
) -> AnyFrame:
    """Return a client's message in the robot's dialect; a v1 robot's offer has the `right`.

    Raise BadMessage if an end is a seed's and the payload has no readable candidate.
    """
    if robot.dialect == "seed":
        ends = (session.connection_id, robot.robot_id)
        return _seed_relay(robot, session, message, ends, session.dialect)
    frame = _v1_relay(robot, session, role, message, session.dialect, person=session.person)
    return structs.replace(frame, right=right) if isinstance(frame, OfferRelay) else frame


def translate_for_client(
    robot: Robot, session: Session, role: Role, message: Offer | Answer | IceCandidate
) -> AnyFrame:
    """Return a robot's message in the dialect of this session's client.

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
    """Return a robot's refusal of an offer as a seed page reads it: like the server's own error."""
    code, message = payload.get("code"), payload.get("message")
    return SeedError(
        error=code if isinstance(code, str) else "not_acceptable",
        message=message if isinstance(message, str) else "the robot refuses the offer",
    )


def _seed_words(message: Offer | Answer | IceCandidate, spoken: Dialect) -> tuple[str, Payload]:
    """Return the type and the payload for a seed recipient."""
    between_seeds = spoken == "seed"
    if not isinstance(message, IceCandidate):
        payload = message.payload if between_seeds else _flat(message.payload)
        return type(message).__name__.lower(), payload
    if between_seeds and message.word != "candidate":
        # The seed's own robots and pages never send `ice-candidate`, so this is another client's.
        return message.word, message.payload
    # RTCIceCandidate's constructor requires a media section, even for the end of candidates.
    return "candidate", {"candidate": _in_section(_candidate_init(message.payload))}


def _payload_for_v1(message: Offer | Answer | IceCandidate, spoken: Dialect) -> Payload:
    """Return the payload for a v1 recipient, of a message that was sent in either dialect."""
    if spoken == "v1":
        return message.payload
    if not isinstance(message, IceCandidate):
        flat = _flat(message.payload)
        return flat | {"type": flat.get("type") or type(message).__name__.lower()}
    init = _candidate_init(message.payload)
    return _in_section(init) if init["candidate"] else init


def has_description(payload: Payload) -> bool:
    """Say whether a payload has a session description, in any of its forms."""
    return isinstance(_flat(payload).get("sdp"), str)


def _flat(payload: Payload) -> Payload:
    """Return an RTCSessionDescriptionInit whose `sdp` is text, even if it was nested in another."""
    inner = payload.get("sdp")
    return payload | inner if isinstance(inner, dict) else payload


def _candidate_init(payload: Payload) -> Payload:
    """Return the RTCIceCandidateInit (W3C WebRTC, section 4.8.1.2) in a payload.

    That is the payload itself, or its `candidate`. A null becomes "", the end of candidates. Raise
    BadMessage if there is none.
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
    """Name the first media section if none is named: bundled sections share its transport.

    A browser refuses a candidate that names none (W3C WebRTC, section 4.4.2, addIceCandidate).
    """
    names = init.get("sdpMid") is not None or init.get("sdpMLineIndex") is not None
    return init if names else init | {"sdpMLineIndex": 0}


def takeover_frame(
    robot: Robot, holder: Session, reason: TakeoverReason, now: int
) -> TakeoverNotice | None:
    """Return the frame that tells this robot of a takeover. `now`: epoch ms.

    None for a seed robot: any frame but an offer or a candidate ends its read loop. It learns of
    the new driver from the offer that follows.
    """
    if robot.dialect == "seed":
        return None
    return TakeoverNotice(
        robot_id=robot.robot_id,
        by=holder.person,
        reason=reason,
        session_id=holder.session_id,
        epoch=robot.epoch,
        right_seconds=holder.right_seconds(now),
    )
