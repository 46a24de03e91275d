"""Carries out independent steps at once, in threads: posts to several connections, say.

The threads, and the module that makes them, come with the first round that needs them: most
cold starts serve a message that has none.
"""

from collections.abc import Callable, Iterable
from typing import Any

from robosignal.server.core.steps import Step

AT_ONCE = 16
"""As many threads, and as many connections to each service: the longest round is 100 posts."""


class Threads:
    """Implements `robosignal.server.executor.SideBySide`."""

    def __init__(self) -> None:
        self._map: Callable[[Callable[[Step], Any], Iterable[Step]], Iterable[Any]] | None = None

    def __call__(self, carry_out: Callable[[Step], Any], asked: Iterable[Step]) -> Iterable[Any]:
        """Carry out these steps, so many at once at most, and yield their outcomes in order."""
        if self._map is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - see above

            self._map = ThreadPoolExecutor(AT_ONCE, "steps").map
        return self._map(carry_out, asked)
