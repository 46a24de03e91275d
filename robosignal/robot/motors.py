"""The one way to the motors: what is asked of them, and that they stop when they fail.

Knows the function that moves them; never who drives, or why the robot stops.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from robosignal.robot.commands import STILL, Drive
from signaling.wire.ids import RobotId

AGAIN_SECONDS = 0.5
"""When to try once more to stop motors that could not be stopped."""

LAST_SECONDS = 5
"""For so long a robot that ends tries to stop motors that could not be stopped."""

Mover = Callable[[Drive], None]
"""Makes the motors drive like this until it is called again; `STILL` stops them."""


class Motors:
    """Calls the movers in order. What one raises is logged, once until all succeed again.

    After a failure the motors are stopped at once; a stop that fails is tried again until one
    succeeds, something else is asked for, or `close`.
    """

    def __init__(self, robot_id: RobotId, movers: Sequence[Mover], log: logging.Logger) -> None:
        self._robot_id = robot_id
        self._movers = movers
        self._log = log
        self._failing = False
        self._again: asyncio.TimerHandle | None = None

    def move(self, drive: Drive) -> None:
        """Drive like this until told otherwise; stand still if that fails."""
        self.close()
        if self._asked(drive):
            self._failing = False
        elif drive == STILL or not self._asked(STILL):
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(AGAIN_SECONDS, self.move, STILL)

    async def stopped(self) -> None:
        """Return once a stop that failed has succeeded, or `LAST_SECONDS` are over; then close."""
        failing = self._again is not None
        self.close()
        loop = asyncio.get_running_loop()
        until = loop.time() + LAST_SECONDS
        while failing and not self._asked(STILL):
            if loop.time() >= until:
                self._log.error("%s: the motors may still run: cut their power", self._robot_id)
                return
            await asyncio.sleep(AGAIN_SECONDS)

    def close(self) -> None:
        """Try nothing again."""
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _asked(self, drive: Drive) -> bool:
        try:
            for mover in self._movers:
                mover(drive)
        except Exception:  # noqa: BLE001 - a driver of motors raises what it likes
            if not self._failing:
                said = "%s: the motors failed at %s, and are stopped"
                self._log.exception(said, self._robot_id, drive)
            self._failing = True
            return False
        return True
