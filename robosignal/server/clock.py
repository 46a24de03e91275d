"""The wall clock. It may be set back, so use `time.monotonic` to measure durations."""

import time


def epoch_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
