"""Signs an assertion for each dial, by the right key and the right clock.

What the server answers tells both: a refusal has the server's date, and a robot that is
replacing its key learns from it which of the two the server has.
"""

import base64
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from robosignal.protocol.ids import RobotId
from robosignal.robot.key.file import KeyFile
from robosignal.robot.key.private_key import PrivateKey

CLOCK_SECONDS = 15
"""A clock that is off by less is not why an assertion was refused: the server allows 30 s."""

_log = logging.getLogger(__name__)


class Signer:
    """The source of a robot's assertions for one server: call it for the next one.

    `url` is signed as it is. `clock` returns epoch seconds. With `code` they enrol the key, as the
    robot `robot_id`; None: the one that the file, or the code, names.
    """

    def __init__(
        self,
        file: KeyFile,
        url: str,
        clock: Callable[[], float] = time.time,
        *,
        code: str | None = None,
        robot_id: RobotId | None = None,
    ) -> None:
        self.file = file
        self.robot_id = file.robot_id if robot_id is None else robot_id
        self._url = url
        self._clock = clock
        self._code = code
        self.uses_next = False
        """Whether the last connection was opened with the new key: the server has it."""
        self._prefers_next = False
        self._offset = 0.0
        # What the server's last 101 has said of the clock; used if its assertion is used up.
        self._noted_offset: float | None = None
        self._accepted_at = 0

    def now(self) -> int:
        """Return the time in epoch seconds, by the server's clock as far as it is known."""
        return int(self._clock() + self._offset)

    def __call__(self) -> str:
        """Return a new assertion, never older than the last one that the server has accepted."""
        issued_at = max(self.now(), self._accepted_at)
        return self._key().sign_assertion(self._url, self.robot_id, issued_at, self._code)

    def prefer_next(self) -> None:
        """Sign by the new key from now on: the server has it."""
        self._prefers_next = True

    def use_file(self, file: KeyFile) -> None:
        """Use what the file says now."""
        self.file = file
        self.uses_next = self._prefers_next = False

    def hear(self, token: str, status: int, date: str | None) -> None:
        """Learn from the answer to a handshake: its HTTP status, and its header `Date`."""
        offset = self._read_offset(date)
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            self._noted_offset = offset
            header, claims = _read(token)
            self._accepted_at = max(self._accepted_at, claims["iat"])
            following = self.file.next_key
            self.uses_next = following is not None and header["kid"] == following.kid
            self._prefers_next = self.uses_next
        elif status == HTTPStatus.UNAUTHORIZED and not self._correct(offset):
            # The clock is right, so it may be the key.
            self._prefers_next = not self._prefers_next

    def hear_used(self) -> None:
        """Learn that the last assertion was used up.

        It is older than one that this robot has used, which happens after its clock was set back.
        """
        self._correct(self._noted_offset)

    def _key(self) -> PrivateKey:
        following = self.file.next_key
        return following if self._prefers_next and following is not None else self.file.key

    def _read_offset(self, date: str | None) -> float | None:
        if date is None:
            return None
        with suppress(ValueError, TypeError, OverflowError):
            # A date has whole seconds, so on average it is half a second old.
            return parsedate_to_datetime(date).timestamp() + 0.5 - self._clock()
        return None

    def _correct(self, offset: float | None) -> bool:
        """Use this offset if it makes a difference, and say whether it does."""
        if offset is None or abs(offset - self._offset) < CLOCK_SECONDS:
            return False
        _log.warning(
            "the clock differs from the server's by %.0f s: signs by the server's", -offset
        )
        self._offset = offset
        return True


def _read(token: str) -> list[dict[str, Any]]:
    """Return the header and the claims of a token that was made here."""
    parts = token.split(".")[:2]
    return [json.loads(base64.urlsafe_b64decode(each + "=" * (-len(each) % 4))) for each in parts]
