"""Replaces the robot's key, from time to time, while it goes on serving.

1. The new key is on disk beside the old one.
2. The server is given it, with a proof, on the live connection: both keys open connections now.
3. The next connection is dialled with the new key; if that is refused, with the old one again.
4. Once the server has accepted the new key, the old one leaves the file.

Wherever the process is killed, the file has a key that the server has: after 1 the old one, after 2
both. What was begun is taken up again at the next registration, and the server acks it again.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from robosignal.robot.frames import sanitize
from robosignal.robot.key.file import KeyFile, KeyFileRefused
from robosignal.robot.key.signer import Signer

DAY_SECONDS = 86_400
PREFIX = "rotate-key-"

_log = logging.getLogger(__name__)


class Rotation:
    """Begins at a registration, when the key is old enough: that is at least every two hours.

    `send` sends a frame on the current connection. `after_days` is how old a key may become;
    0 never replaces it.
    """

    def __init__(
        self, signer: Signer, send: Callable[[dict[str, Any]], None], after_days: float
    ) -> None:
        self._signer = signer
        self._send = send
        self._after_days = after_days
        self._connection_id: str | None = None
        self._sent = 0
        self._task: asyncio.Task[None] | None = None

    def handle(self, frame: dict[str, Any]) -> None:
        """Act on a frame of the current connection, or on a late one of the connection before."""
        kind, reply_to = frame.get("type"), frame.get("replyTo")
        if kind == "welcome":
            self._connection_id = frame.get("connectionId")
        elif kind == "registered":
            self._begin()
        elif reply_to == f"{PREFIX}{self._sent}" and kind == "ack":
            _log.info("%s: the server has its new key too", self._signer.robot_id)
            self._signer.prefer_next()
        elif reply_to == f"{PREFIX}{self._sent}" and kind == "error":
            why = sanitize(str(frame.get("code")))
            self._report(f"the server does not take a new key yet ({why})")

    async def wait_closed(self) -> None:
        """Return when nothing is being written."""
        if self._task is not None:
            await self._task

    def _begin(self) -> None:
        is_idle = self._task is None or self._task.done()
        if is_idle and (self._signer.uses_next or self._is_due()):
            self._task = asyncio.create_task(self._go_on())

    def _is_due(self) -> bool:
        file = self._signer.file
        if file.next_key is not None:
            return True
        age = self._signer.now() - file.created_at
        return self._after_days > 0 and age >= self._after_days * DAY_SECONDS

    async def _go_on(self) -> None:
        try:
            if self._signer.uses_next:
                await self._adopt()
            else:
                await self._propose()
        except KeyFileRefused as error:
            self._report(f"cannot keep a new key: {error}")

    async def _adopt(self) -> None:
        # In a thread: a slow disk must not hold up the event loop, and with it the drivers.
        file = await asyncio.to_thread(self._signer.file.adopt_next, self._signer.now())
        self._signer.use_file(file)
        self._report(f"has replaced its key: its fingerprint is {file.key.fingerprint} now")

    async def _propose(self) -> None:
        file: KeyFile = await asyncio.to_thread(self._signer.file.prepare_next)
        self._signer.file = file
        if file.next_key is None or file.robot_id is None or self._connection_id is None:
            return
        self._sent += 1
        self._send(
            {
                "type": "rotate-key",
                "id": f"{PREFIX}{self._sent}",
                "publicKey": file.next_key.jwk(),
                "proof": file.next_key.sign_proof(file.robot_id, self._connection_id),
            }
        )

    def _report(self, text: str) -> None:
        _log.info("%s: %s", self._signer.robot_id, text)
