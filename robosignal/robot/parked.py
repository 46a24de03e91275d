"""Offers that wait for fresh ICE servers, each for a moment.

Knows whose they are and how long they may wait; never what an offer says.
"""

from dataclasses import dataclass

from robosignal.protocol.frames import OfferRelay
from robosignal.protocol.ids import SessionId

PARKED_MS = 2000
"""Rather a peer connection with old servers than one that the client has given up."""


@dataclass(frozen=True, slots=True)
class ParkedOffer:
    """One offer and when its patience ends, in ms."""

    frame: OfferRelay
    until: int


Parked = tuple[ParkedOffer, ...]
"""In the order in which they came; one a session."""


def kept(parked: Parked, frame: OfferRelay, now: int) -> Parked:
    """Return with this offer in the place of its session's older one."""
    return (*without(parked, frame.session_id), ParkedOffer(frame, now + PARKED_MS))


def without(parked: Parked, session: SessionId) -> Parked:
    """Return without this session's offer."""
    return tuple(one for one in parked if one.frame.session_id != session)


def ripe(parked: Parked, now: int) -> list[OfferRelay]:
    """Return the offers that can wait no longer."""
    return [one.frame for one in parked if now >= one.until]


def dues(parked: Parked) -> list[int]:
    """Return the time at which `ripe` has something to say."""
    return [parked[0].until] if parked else []
