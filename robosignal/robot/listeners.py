"""Calls what the robot's program wants to be told, in a thread of its own, in order.

The motors have another thread: whatever these functions wait for, the robot stops in time.
"""

import logging
import queue
import threading
from collections.abc import Callable

from robosignal.protocol.ids import RobotId

MOST_WAITING = 1000
"""While so many calls wait for a function that does not return, further ones are dropped."""

_log = logging.getLogger(__name__)


class Listeners:
    """Makes calls one at a time until `close`; what they raise is logged.

    While `most_waiting` wait, further ones are dropped.
    """

    def __init__(self, robot_id: RobotId, most_waiting: int = MOST_WAITING) -> None:
        self._robot_id = robot_id
        self._calls: queue.Queue[Callable[[], None] | None] = queue.Queue(most_waiting)
        self._is_dropping = False
        threading.Thread(target=self._work, name=f"listeners of {robot_id}", daemon=True).start()

    def call(self, call: Callable[[], None]) -> None:
        """Have this called after all that came before; return at once."""
        try:
            self._calls.put_nowait(call)
            self._is_dropping = False
        except queue.Full:
            if not self._is_dropping:
                self._is_dropping = True
                _log.error("%s: a listener does not return: calls are dropped", self._robot_id)

    def close(self) -> None:
        """Make no more calls but those that wait, and return at once."""
        # A full queue ends with the process.
        if not self._calls.full():
            self._calls.put_nowait(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception:  # noqa: BLE001 - the program's own functions
                _log.exception("%s: a listener has failed", self._robot_id)
