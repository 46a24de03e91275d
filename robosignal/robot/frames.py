"""The frames that a robot reads. Anything else becomes `Unreadable`, and is ignored."""

import re
from dataclasses import dataclass
from typing import Any, NewType

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from robosignal.protocol.frames import (
    Ack,
    AnswerRelay,
    CandidateRelay,
    Control,
    Error,
    IceServersReply,
    OfferRelay,
    PeerLeft,
    Person,
    Pong,
    Registered,
    Replaced,
    TakeoverNotice,
    Welcome,
)

PcId = NewType("PcId", str)
"""One RTCPeerConnection of a session, as its client named it; empty when it named none."""

NAME_CHARACTERS = 40
"""Longer names are cut where people read them: the log and the picture."""

Frame = (
    Welcome
    | Registered
    | IceServersReply
    | Pong
    | Ack
    | Error
    | OfferRelay
    | AnswerRelay
    | CandidateRelay
    | TakeoverNotice
    | Control
    | PeerLeft
    | Replaced
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is no frame a robot knows; `why` says so, and never quotes its contents."""

    why: str


def read(text: str | bytes) -> dict[str, Any] | Unreadable:
    """Return the JSON object that a WebSocket message holds."""
    try:
        found = msgspec.json.decode(text)
    # ValueError covers a lone surrogate, which cannot be encoded; nesting ends in RecursionError.
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Unreadable("a message that is no JSON")
    return found if isinstance(found, dict) else Unreadable("a message that is no JSON object")


def parse(found: dict[str, Any]) -> Frame | Unreadable:
    """Return the frame that an object is."""
    kind = found.get("type")
    if kind is None and "requestId" in found:
        # API Gateway's own error frame has no type: a failure that is not this robot's.
        return Error(code="internal", message=str(found.get("message", "")))
    try:
        frame: Frame = msgspec.convert(found, Frame)
    except (msgspec.ValidationError, RecursionError):
        return Unreadable(f"a frame of type {sanitize(str(kind))!r} that it cannot read")
    return frame


def to_steady_clock(found: dict[str, Any], wall: int, steady: int) -> dict[str, Any]:
    """Return a frame with its `expiresAt` moved from the wall's clock to a steady one, both in ms.

    Dates are read once, when they come: a robot's clock may be set while it runs.
    """
    expires = found.get("expiresAt")
    return found | {"expiresAt": expires - wall + steady} if isinstance(expires, int) else found


def sanitize(text: str, most: int = NAME_CHARACTERS) -> str:
    """Return text fit for one line of a log or a picture: printable, and not too long."""
    return "".join(letter for letter in text if letter.isprintable())[:most]


def display_name(person: Person) -> str:
    """Return what to call a person where people read it."""
    return sanitize(person.name or person.user_id)


class Candidate(Struct, frozen=True, rename="camel"):
    """RTCIceCandidateInit (W3C WebRTC, section 4.8.1.2); an empty `candidate` ends them."""

    candidate: str = ""
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = field(default=None, name="sdpMLineIndex")


def read_sdp(payload: dict[str, Any]) -> str | None:
    """Return the session description in an offer's payload, in each spelling; None if none."""
    found = payload.get("sdp")
    if isinstance(found, dict):
        found = found.get("sdp")
    return found if isinstance(found, str) and found else None


def read_candidate(payload: dict[str, Any]) -> Candidate | None:
    """Return the candidate in a payload, in each spelling; None if it holds none.

    `spec/vectors/candidates.json` lists the spellings for every client.
    """
    inner = payload.get("candidate")
    if isinstance(inner, dict):
        payload = payload | {"candidate": None} | inner
    if payload.get("candidate") is None:
        payload = payload | {"candidate": ""}
    try:
        return msgspec.convert(payload, Candidate)
    except msgspec.ValidationError:
        return None


_BUNDLE = re.compile(r"^a=group:BUNDLE (\S+)", re.MULTILINE)


def assign_section(candidate: Candidate, sdp: str) -> Candidate:
    """Return a candidate with the media section of this description that it is for.

    One that names none is for the section that carries everything: the first of the first bundle
    (RFC 9143, section 7.2), else the first of all.
    """
    named = candidate.sdp_mid is not None or candidate.sdp_m_line_index is not None
    if named or not candidate.candidate:
        return candidate
    if bundle := _BUNDLE.search(sdp):
        return replace(candidate, sdp_mid=bundle[1])
    return replace(candidate, sdp_m_line_index=0)
