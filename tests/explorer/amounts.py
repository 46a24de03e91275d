"""How much is explored: enough for every commit, or all of it when ROBOSIGNAL_SOAK is set."""

import os

SOAK = bool(os.environ.get("ROBOSIGNAL_SOAK"))

EVERY_COMMIT = (
    "free",
    "held",
    "lapsed",
    "in grace",
    "watched",
    "robot gone",
    "resumed viewer",
    "seed robot",
    "told of changes",
)
"""The situations in which every commit explores all pairs; the others are the soak's too."""


def amount(commit: int, soak: int) -> int:
    """Return how many to do."""
    return soak if SOAK else commit
