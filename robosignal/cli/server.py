"""Asking a server for things as its user: one connection, which comes back when it is lost.

Messages go one after another, slower than the server's limit for a connection. What the server is
too busy for is asked again, and so is what was lost with a connection.
"""

import argparse
import asyncio
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from robosignal.cli import arguments
from robosignal.cli.arguments import TOKEN_VARIABLE, UNREACHABLE, URL_VARIABLE, Refused
from robosignal.probe.advice import BY_ERROR, explain_token
from robosignal.probe.connection import Connection, Frame, dial, resolve
from robosignal.probe.errors import (
    GatewayFault,
    HandshakeRejected,
    NoSubprotocol,
    ProbeError,
    RequestRefused,
    TlsFailed,
)
from robosignal.protocol.limits import BURST, MESSAGES_PER_SECOND, TOKEN_PATTERN

AGAIN = frozenset({"rate_limited", "try_again"})
"""Errors at which the same message is sent again in a moment."""

TRIES, MOST_TRIES = 6, 100
"""How often a message is tried by default, and at most."""
PAUSES_S = (1, 2, 4, 8, 15)
"""How long to wait before each further try, at most a quarter more. A second is a whole strike."""

PACE_PER_SECOND = MESSAGES_PER_SECOND * 0.8
PACE_BURST = BURST * 0.5
"""Below the server's limits, since they are the server's to count."""

REPLY_LOST = "reply_lost"
"""The code, of this program, for a message that may have been carried out."""

_RENEWABLE = frozenset({"unauthorized", "token_expired"})
_FINAL_STATUS = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)

TokenSource = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Access:
    """Which server to ask, and as whom. `token` is called for each connection."""

    url: str
    token: TokenSource
    timeout_s: float
    tries: int = TRIES


@dataclass(frozen=True, slots=True)
class Done:
    """A message that was carried out, and the reply."""

    message: Mapping[str, Any]
    reply: Frame


@dataclass(frozen=True, slots=True)
class NotDone:
    """A message that was refused, with the error's code and sentence."""

    message: Mapping[str, Any]
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of many messages. `broken` says why the rest was not sent, if it was not.

    `repeated` is how often a message was sent again, since the server was busy or away.
    """

    done: Sequence[Done]
    refused: Sequence[NotDone]
    not_sent: Sequence[Mapping[str, Any]] = ()
    broken: Refused | None = None
    repeated: int = 0


def add_arguments(parser: argparse.ArgumentParser, *, positional_url: bool = False) -> None:
    """Declare which server is asked, and by whom: the arguments that `read_access` reads."""
    url = f"the server's WebSocket address (default: the environment's {URL_VARIABLE})"
    if positional_url:
        parser.add_argument("url", type=arguments.websocket_url, nargs="?", metavar="URL", help=url)
    else:
        parser.add_argument("--url", type=arguments.websocket_url, help=url)
    add_user(parser)


def add_user(parser: argparse.ArgumentParser) -> None:
    """Declare as whom a server is asked, and how patiently; and `--json`."""
    token = parser.add_mutually_exclusive_group().add_argument
    token("--token", help=f"your token (default: the environment's {TOKEN_VARIABLE})")
    token(
        "--token-command",
        metavar="CMD",
        help="a shell command that prints a token, run for each connection",
    )
    arguments.add_timeout(parser)
    parser.add_argument(
        "--tries",
        type=arguments.whole(1, MOST_TRIES),
        default=TRIES,
        metavar="N",
        help="how often to try while the server is busy, or away after a connection was lost: with"
        " pauses of 1, 2, 4, 8 and then 15 seconds (default: %(default)s)",
    )
    arguments.add_json(parser)


def read_access(asked: argparse.Namespace, env: Mapping[str, str]) -> Access:
    """Return which server to ask, and as whom. Raise Refused if either is missing."""
    url = asked.url
    if url is None:
        url = env.get(URL_VARIABLE, "").strip()
        if not url:
            raise Refused(
                f"no server: give its URL, such as ws://127.0.0.1:8080/prod, or set {URL_VARIABLE}"
            )
        try:
            arguments.websocket_url(url)
        except argparse.ArgumentTypeError as error:
            raise Refused(f"in the environment, {URL_VARIABLE} {error}") from None
    if asked.token_command:
        command = asked.token_command
        return Access(url, lambda: _run_command(command, asked.timeout), asked.timeout, asked.tries)
    token = arguments.require_token(asked.token, env)
    return Access(url, lambda: token, asked.timeout, asked.tries)


def _run_command(command: str, timeout_s: float) -> str:
    """Return what a shell command prints. Raise Refused, which never quotes that."""
    try:
        ran = subprocess.run(  # noqa: S602 - the user's own command, as `robosignal robot` runs it
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"the token command took longer than {timeout_s:g} s") from None
    token = ran.stdout.decode(errors="replace").strip()
    if ran.returncode != 0:
        raise Refused(f"the token command ended with {ran.returncode}: run it by itself to see why")
    if not re.search(TOKEN_PATTERN, token):
        raise Refused("the token command printed something that is no token")
    return token


class Server:
    """A server that is asked as one user. Its block keeps one connection, and dials it again."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._connection: Connection | None = None
        self._next_at = 0.0
        self._repeated = 0

    async def __aenter__(self) -> Self:
        """Connect. Raise Refused: with the exit code `UNREACHABLE` if a later try may succeed."""
        await self._dial()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop()

    async def ask(self, message: Mapping[str, Any]) -> Done | NotDone:
        """Send a message until it is carried out or refused, and return which.

        Raise Refused if the server can no longer be reached.
        """
        is_lost = False
        tries = self._access.tries
        for number in range(tries):
            self._repeated += number > 0
            try:
                await self._keep_pace()
                connection = self._connection or await self._dial_again()
                return Done(message, (await connection.request(dict(message))).frame)
            except RequestRefused as refused:
                is_last = number == tries - 1
                if refused.code in _RENEWABLE and not is_last:
                    await self._drop()
                elif refused.code not in AGAIN or is_last:
                    return _not_done(message, refused, is_lost=is_lost)
                else:
                    await _pause(number)
            except ProbeError as error:
                # The server may have done it: only the reply is known to be lost.
                is_lost = True
                await self._drop()
                if number == tries - 1:
                    raise _explain(error, "") from error
                await _pause(number)
        raise AssertionError("the last try returns or raises")

    async def ask_all(
        self, messages: Iterable[Mapping[str, Any]], on_each: Callable[[int, int], object]
    ) -> Outcome:
        """Send messages one after another; `on_each` is told how many are done, and refused."""
        rest = list(messages)
        done: list[Done] = []
        refused: list[NotDone] = []
        while rest:
            try:
                answer = await self.ask(rest[0])
            except Refused as broken:
                return Outcome(done, refused, rest, broken, self._repeated)
            del rest[0]
            if isinstance(answer, Done):
                done.append(answer)
            else:
                refused.append(answer)
            on_each(len(done), len(refused))
        return Outcome(done, refused, repeated=self._repeated)

    async def list_robots(self, *, all_robots: bool) -> list[Frame]:
        """Return every entry of the user's list; `all_robots`: of the whole fleet, for admins.

        Raise Refused if the server does not answer it.
        """
        message: dict[str, Any] = {"type": "robots", "all": all_robots}
        found: dict[str, Frame] = {}
        while True:
            answer = await self.ask(message)
            if isinstance(answer, NotDone):
                raise Refused(answer.why)
            found |= {each["robotId"]: each for each in answer.reply["robots"]}
            if answer.reply.get("cursor") is None:
                return sorted(found.values(), key=lambda each: str(each["robotId"]))
            message["cursor"] = answer.reply["cursor"]

    async def _keep_pace(self) -> None:
        now = time.monotonic()
        self._next_at = max(self._next_at, now - PACE_BURST / PACE_PER_SECOND) + 1 / PACE_PER_SECOND
        await asyncio.sleep(max(0.0, self._next_at - now))

    async def _dial_again(self) -> Connection:
        """Dial until the server answers. Raise Refused if it refuses, or after the last try."""
        for number in range(self._access.tries - 1):
            with suppress(_Later):
                return await self._dial()
            await _pause(number)
        return await self._dial()

    async def _dial(self) -> Connection:
        access = self._access
        token = await asyncio.to_thread(access.token)
        try:
            addresses = await resolve(access.url, access.timeout_s)
            self._connection = await dial(access.url, token, addresses, access.timeout_s)
            await self._connection.request({"type": "ready", "protocol": 1}, "welcome")
        except ProbeError as error:
            await self._drop()
            raise _explain(error, token) from error
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class _Later(Refused):
    """The server cannot be reached now."""

    def __init__(self, text: str) -> None:
        super().__init__(text, UNREACHABLE)


def _not_done(message: Mapping[str, Any], refused: RequestRefused, *, is_lost: bool) -> NotDone:
    if is_lost and refused.code == "forbidden":
        why = (
            "the reply to it was lost, and it was refused when asked again: it may have been "
            "done, so look with robosignal robots"
        )
        return NotDone(message, REPLY_LOST, why)
    return NotDone(message, refused.code, refused.message)


def _explain(error: ProbeError, token: str) -> Refused:
    """Return why the server cannot be asked, and what to check first."""
    match error:
        case HandshakeRejected(status=HTTPStatus.UNAUTHORIZED):
            hint = explain_token(token, int(time.time()))[0]
            return Refused(f"the server refused the token; check {hint}")
        case HandshakeRejected(status=status) if status in _FINAL_STATUS:
            return Refused(f"{error}; check the URL, with its path, such as /prod")
        case NoSubprotocol():
            return Refused(f"{error}; check the URL")
        case TlsFailed():
            return Refused(f"{error}; check {BY_ERROR[TlsFailed][0]}", UNREACHABLE)
        case GatewayFault():
            return _Later(f"{error}: try again later, and look for request {error.request_id}")
    advice = BY_ERROR.get(type(error))
    hint = f"; check {advice[0]}" if advice else "; try again later"
    return _Later(f"cannot reach the server: {error}{hint}")


async def _pause(number: int) -> None:
    pause = PAUSES_S[min(number, len(PAUSES_S) - 1)]
    await asyncio.sleep(pause * random.uniform(1, 1.25))  # noqa: S311 - spreads load
