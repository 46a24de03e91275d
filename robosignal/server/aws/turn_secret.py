"""Reads the secret that is shared with the TURN servers from Secrets Manager."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

KEPT_MS = 5 * 60 * 1000
"""How long a secret is used before it is read again."""

PAUSE_MS = 10 * 1000
"""How long to wait after a failure, so that not every message waits for another try."""

log = logging.getLogger("signaling")


class SecretsManager(Protocol):
    """The part of boto3's client that this needs."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        """Return the secret under an ARN."""


class StoredSecret:
    """A `robosignal.server.ice.turn.Secret` under an ARN, cached for five minutes.

    `connect` creates the client when the secret is first needed.
    """

    def __init__(self, arn: str, connect: Callable[[], SecretsManager]) -> None:
        self._arn = arn
        self._connect = connect
        self._client: SecretsManager | None = None
        self._value: str | None = None
        self._ask_at: int | None = None

    def __call__(self, now: int) -> str | None:
        """Return the secret at `now` (epoch ms); None if none could be read so far.

        If it cannot be read again, the old one is used: it most likely has not changed. Every
        failure is logged as a warning with its code, without the secret.
        """
        # If `_ask_at` is too far ahead, the clock has been set back since.
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
        """Return the secret. Raise ValueError if it has no text."""
        if self._client is None:
            self._client = self._connect()
        kept = self._client.get_secret_value(SecretId=self._arn)
        # coturn reads its copy from a line of a file, without blanks around it.
        value = str(kept.get("SecretString", "")).strip()
        if not value:
            raise ValueError("the secret has no text")
        return value


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__
