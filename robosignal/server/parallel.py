"""Performs independent actions at once, in threads, for example posts to several connections.

The threads, and the module that makes them, are loaded with the first actions that need them: most
cold starts serve a message without any.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from robosignal.server.core.steps import Action

if TYPE_CHECKING:
    from robosignal.server.executor import ParallelMap

AT_ONCE = 16
"""How many threads, and how many connections to each service."""


class Threads:
    """Implements `robosignal.server.executor.ParallelMap`."""

    def __init__(self) -> None:
        self._map: ParallelMap | None = None

    def __call__(
        self, perform: Callable[[Action], Any], actions: Iterable[Action]
    ) -> Iterable[Any]:
        """Perform these actions, `AT_ONCE` at a time, and yield their outcomes in order."""
        if self._map is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - see above

            self._map = ThreadPoolExecutor(AT_ONCE, "steps").map
        return self._map(perform, actions)
