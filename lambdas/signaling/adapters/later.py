"""What of AWS's errors says "later": a throttle, a conflict, a network that failed.

The one reading of them for every service that is called; what is asked for it never knows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

from signaling.wire.errors import TryAgain

TRANSIENT = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
    }
)
"""Errors that say "later", once botocore's own retries are spent."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise TryAgain for what AWS says to try later, and for a network that failed."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in TRANSIENT or _is_later(error):
            raise TryAgain from error
        raise
    except (ConnectionError, HTTPClientError) as error:
        raise TryAgain from error


def _is_later(error: ClientError) -> bool:
    """Say whether the bare status tells it, as a proxy's answer does, which names no error."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
