"""Calls to AWS: how long a try may take, which errors are transient, and when to try again.

The time is the event's own (`robosignal.server.deadline`). botocore's retries know nothing of that,
so they are off.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from random import uniform
from typing import Any, ParamSpec, TypeVar

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004
from urllib3.util import Timeout

from robosignal.protocol.errors import TryAgain
from robosignal.server.deadline import Allowance, allowance

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS = 1.0
LEAST_SECONDS = 0.05
"""With less time than this no call starts, as it could not finish."""

FIRST_PAUSE_SECONDS = 0.1
"""The longest pause before the second try; four times as long before each further one."""

TRANSIENT = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
    }
)
"""Error codes of AWS that mean: try again later."""

log = logging.getLogger("signaling")


def call_aws(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call AWS; repeat the call after a pause if the error is transient and the step has time left.

    Raise TryAgain if the last try fails so; any other error at once.
    """
    mine = allowance()
    pauses = pause_between_tries(mine, mine.tries)
    while True:
        if mine.seconds < LEAST_SECONDS:
            raise TryAgain
        try:
            with translate_errors():
                return call(*args, **kwargs)
        except TryAgain:
            if not next(pauses, False):
                raise


def pause_between_tries(mine: Allowance, tries: int) -> Iterator[bool]:
    """Yield after a growing pause before each further try; end when no more is allowed.

    `tries` includes the first, before which there is no pause. The pauses are random, so that
    callers that were throttled together do not return together.
    """
    longest = FIRST_PAUSE_SECONDS
    for _ in range(tries - 1):
        pause = uniform(longest / 2, longest)  # noqa: S311 - it guards nothing
        if mine.seconds_left < pause + LEAST_SECONDS:
            return
        mine.sleep(pause)
        yield True
        longest *= 4


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise TryAgain for transient errors of AWS and of the network."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in TRANSIENT or _is_transient(error):
            raise TryAgain from error
        raise
    except (ConnectionError, HTTPClientError) as error:
        raise TryAgain from error


def _is_transient(error: ClientError) -> bool:
    """Say whether the status alone means that, as in a proxy's answer, which has no code."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


class StepTimeout(Timeout):
    """The timeout of a step's calls, computed for each request."""

    def clone(self) -> Timeout:
        """Return the timeout of one request. urllib3 calls this before each."""
        seconds = max(LEAST_SECONDS, allowance().seconds)
        return Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds, total=seconds)


def limit_calls(client: T) -> T:
    """Return the client, changed so that no request takes longer than its step may.

    botocore's timeouts are fixed when a client is created, and a client for each length would slow
    down the start. If a later botocore has other internals, its fixed timeouts stay and limit each
    try, and no try starts without time.
    """
    try:
        session: Any = client._endpoint.http_session  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        session._manager.connection_pool_kw["timeout"] = StepTimeout()  # noqa: SLF001 - as above
    except AttributeError:
        log.warning("requests are bounded only by the client's own timeouts")
    return client
