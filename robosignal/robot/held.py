"""Offers that wait for fresh ICE servers, each for a moment.

Knows whose they are and how long they may wait; never what an offer says.
"""

from dataclasses import dataclass

from signaling.wire.frames import OfferRelay
from signaling.wire.ids import SessionId

HELD_MS = 2000
"""Rather a peer connection with old servers than one that the client has given up."""


@dataclass(frozen=True, slots=True)
class HeldOffer:
    """One offer and when its patience ends, in ms."""

    frame: OfferRelay
    until: int


Held = tuple[HeldOffer, ...]
"""In the order in which they came; one a session."""


def kept(held: Held, frame: OfferRelay, now: int) -> Held:
    """Return with this offer in the place of its session's older one."""
    return (*without(held, frame.session_id), HeldOffer(frame, now + HELD_MS))


def without(held: Held, session: SessionId) -> Held:
    """Return without this session's offer."""
    return tuple(one for one in held if one.frame.session_id != session)


def ripe(held: Held, now: int) -> list[OfferRelay]:
    """Return the offers that can wait no longer."""
    return [one.frame for one in held if now >= one.until]


def dues(held: Held) -> list[int]:
    """Return the time at which `ripe` has something to say."""
    return [held[0].until] if held else []
