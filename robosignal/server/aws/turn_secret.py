"""The secret that is shared with the TURN servers, as Secrets Manager keeps it.

Owns when it is read again, and what happens while it cannot be; must never know what it is for.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

KEPT_MS = 5 * 60 * 1000
"""How long a secret counts as fresh: a changed one is used by then."""

PAUSE_MS = 10 * 1000
"""How long nothing is asked after a failure, so that not every message waits for the next."""

log = logging.getLogger("signaling")


class SecretsManager(Protocol):
    """As much of boto3's client as this needs."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        """Return what is kept under an ARN."""


class StoredSecret:
    """A `robosignal.server.ice.turn.Secret` under an ARN, kept for five minutes.

    `connect` makes the client, at the first need: whoever never needs it pays nothing.
    """

    def __init__(self, arn: str, connect: Callable[[], SecretsManager]) -> None:
        self._arn = arn
        self._connect = connect
        self._client: SecretsManager | None = None
        self._value: str | None = None
        self._ask_at: int | None = None

    def __call__(self, now: int) -> str | None:
        """Return the secret, or None when none could be read so far.

        One that cannot be read anew serves on: the TURN servers most likely share it still.
        Every failure is logged as a warning, with its code and never with the secret.
        """
        # Later than possible: the clock has been set back since.
        if self._ask_at is None or not self._ask_at - KEPT_MS <= now < self._ask_at:
            self._refresh(now)
        return self._value

    def _refresh(self, now: int) -> None:
        try:
            self._value = self._read()
        except (ClientError, BotoCoreError, ValueError) as error:
            self._ask_at = now + PAUSE_MS
            log.warning("TURN secret not read", extra={"code": _code(error)})
        else:
            self._ask_at = now + KEPT_MS

    def _read(self) -> str:
        """Return the secret; raise ValueError when there is no text in it."""
        if self._client is None:
            self._client = self._connect()
        kept = self._client.get_secret_value(SecretId=self._arn)
        # coturn reads its own copy from a line of a file, so blanks around it are no part of it.
        value = str(kept.get("SecretString", "")).strip()
        if not value:
            raise ValueError("the secret has no text")
        return value


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__
