"""The clock: the one place that reads the time."""

import time


def epoch_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
