"""A Lambda handler for tests: it remembers its events and answers as it is told.

It handles events and results only, no socket.
"""

import asyncio
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
Result = dict[str, Any]

OK: Result = {"statusCode": 200}


def answers_ok(event: Event) -> Result:
    """Accept whatever comes and say nothing."""
    del event
    return OK


def echoes(event: Event) -> Result:
    """Answer a message with itself."""
    return {"statusCode": 200, "body": event["body"]} if "body" in event else OK


class Recorder:
    """Calls `answer` and keeps the event, to be waited for by its route."""

    def __init__(self, answer: Callable[[Event], Result] = answers_ok) -> None:
        self._answer = answer
        self.events: list[Event] = []
        self._arrived = asyncio.Condition()

    def __call__(self, event: Event) -> Result:
        """Handle as a Lambda does."""
        self.events.append(event)
        self._tell = asyncio.ensure_future(self._notify())
        return self._answer(event)

    async def event(self, route: str, count: int = 1) -> Event:
        """Return the event of this route that arrives `count`-th, once it has arrived."""
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(lambda: len(self.of(route)) >= count)
        return self.of(route)[count - 1]

    def of(self, route: str) -> list[Event]:
        """Return the events of this route so far."""
        return [event for event in self.events if event["requestContext"]["routeKey"] == route]

    async def _notify(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()
