"""A policy that keeps the rover of corridor.py a metre from the wall while no person drives it.

python examples/policy.py ws://127.0.0.1:8080/prod rover-1    (ROBOSIGNAL_TOKEN: one who may drive)
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from robosignal.operator import Operator, OperatorError, Session

WANTED = 1.0  # metres


def decide(values: Mapping[str, float | bool | str]) -> float:
    """Return how fast to drive ahead, from -1 to 1; yours asks its model."""
    error = float(values["distance"]) - WANTED
    return 0.0 if abs(error) < 0.05 else max(-0.5, min(0.5, error))  # noqa: PLR2004 - in metres


async def keep_distance(session: Session) -> None:
    """Drive by each new telemetry, give way to who takes over, and go on after their release."""
    async for values in session.telemetry():
        if session.is_free:
            # Another user may have taken control first.
            with suppress(OperatorError):
                await session.request_control()
        if session.role == "controller" and not session.drive(0.0, decide(values)):
            # Nothing goes on by itself after a stop or a silence: begin with a stop.
            session.drive(0.0, 0.0)


async def main(url: str, robot_id: str, token: str) -> None:
    """Run the policy until the server forbids it."""
    async with Operator(url, token=token, video=False) as operator:
        await keep_distance(await operator.view(robot_id))


if __name__ == "__main__":
    address, name = sys.argv[1:]
    asyncio.run(main(address, name, os.environ["ROBOSIGNAL_TOKEN"]))
