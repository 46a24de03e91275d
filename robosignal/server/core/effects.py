"""What a write does to a robot, as audit log and metrics name it."""

from enum import Enum


class Effect(Enum):
    """The effect of a write that changes who drives a robot, its presence, or its operators."""

    ACQUIRED = "acquired"
    """Somebody took the free lease."""
    REACQUIRED = "reacquired"
    """The holder took their own lapsed lease again, at a new epoch."""
    TAKEN_OVER = "taken over"
    GRANTED = "granted"
    """The holder handed the lease to a viewer."""
    RELEASED = "released"
    """The holder freed the lease and became a viewer."""
    LEFT = "left"
    """The holder ended their session."""
    DISMISSED = "dismissed"
    """The robot ended the holder's session."""
    ROLLED_BACK = "rolled back"
    """The lease was freed because the robot or the new holder could not be reached."""
    UNDONE = "undone"
    """The lease was freed because the write that gave it was never answered."""
    CLAIMED = "claimed"
    """A robot's new process registered."""
    REDIALLED = "redialled"
    """The same process registered on a new connection."""
    LOST = "lost"
    """The robot's connection ended."""
    UNREGISTERED = "unregistered"
    EVICTED = "evicted"
    """The owner or an admin ended the robot's presence, to forget it."""
    SHARED = "shared"
    OFFERED = "offered"
    """A robot was offered to a user, who has no right to it yet."""
    ACCEPTED = "accepted"
    """A user accepted an offer."""
    UNSHARED = "unshared"
    SHARE_ENDED = "share ended"
    """A share whose end had come was removed, which gave no right any more."""
    TRANSFERRED = "transferred"
    """The robot has a new owner."""


LEASE_GIVEN = frozenset({Effect.ACQUIRED, Effect.REACQUIRED, Effect.TAKEN_OVER, Effect.GRANTED})
"""The effects that give the lease to somebody."""
