"""Calls to AWS: how long a try may take, and when another one follows.

Owns the one reading of what says "later": a throttle, a conflict, a network that failed; and
the pauses. The time is the event's own (`robosignal.server.deadline`), so botocore's retries, which
know nothing of it, are off. What is asked for it never knows.
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
"""With less time than this, no call starts: it could not finish."""

FIRST_PAUSE_SECONDS = 0.1
"""Before the second try, at most; four times as long before each further one."""

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
"""Errors that say "later"."""

log = logging.getLogger("signaling")


def ask(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Make a call; repeat it after a pause while AWS says "later" and the step has time left.

    Raise TryAgain if AWS says so until the end; any other error is raised at once.
    """
    mine = allowance()
    pauses = pausing(mine, mine.tries)
    while True:
        if mine.seconds < LEAST_SECONDS:
            raise TryAgain
        try:
            with translated():
                return call(*args, **kwargs)
        except TryAgain:
            if not next(pauses, False):
                raise


def pausing(mine: Allowance, tries: int) -> Iterator[bool]:
    """Yield after a growing pause before each further try; end when no more is allowed.

    `tries` counts the first, before which there is no pause. The pauses are drawn, lest all who
    were throttled at once come back at once.
    """
    longest = FIRST_PAUSE_SECONDS
    for _ in range(tries - 1):
        pause = uniform(longest / 2, longest)  # noqa: S311 - it guards nothing
        if mine.left < pause + LEAST_SECONDS:
            return
        mine.sleep(pause)
        yield True
        longest *= 4


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
    """Say whether the status alone says "later", as in a proxy's answer, which names no error."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


class StepsTimeout(Timeout):
    """The timeout of a step's calls: computed again for each request."""

    def clone(self) -> Timeout:
        """Return the timeout of one request: urllib3 asks its pool for one before each."""
        seconds = max(LEAST_SECONDS, allowance().seconds)
        return Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds, total=seconds)


def bound_calls(client: T) -> T:
    """Return the client, each of whose requests takes no longer than its step may.

    botocore's timeouts are a client's, fixed as it is made: one client for each length would
    cost a start of its own. A later botocore, whose insides differ, keeps those: each try is
    then bounded by them, and none is begun without time.
    """
    try:
        session: Any = client._endpoint.http_session  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        session._manager.connection_pool_kw["timeout"] = StepsTimeout()  # noqa: SLF001 - as above
    except AttributeError:
        log.warning("requests are bounded only by the client's own timeouts")
    return client
