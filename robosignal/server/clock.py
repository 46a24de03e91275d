"""The wall clock, which may be set back: never the measure of how long something takes."""

import time


def epoch_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
