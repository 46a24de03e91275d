"""A connection to the server that is dialled again until there is no use in it.

It carries out what the machines of the connection ask for, and decides nothing itself. A robot and
an operator's program have one each.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, assert_never

from msgspec.structs import replace

from robosignal.network import ABNORMAL
from robosignal.robot.connection import token_policy
from robosignal.robot.connection.events import (
    Adopt,
    Close,
    Closed,
    Dial,
    Enter,
    Event,
    FrameReceived,
    Output,
    Send,
    SignIn,
    Start,
    Stop,
    Swap,
    Tick,
    Wake,
    Which,
)
from robosignal.robot.connection.state import Attempt, ConnectionState, Phase
from robosignal.robot.connection.token_policy import GiveUp, Report, TokenPolicy
from robosignal.robot.connection.websocket import Hear, WebSockets, forget_answer
from robosignal.robot.frames import Unreadable, parse, to_steady_clock
from robosignal.robot.token import TokenSource

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What is called: `tell` says that the connection is up, down, on another socket, or given up.

    `note` gets each frame before anything follows from it, `receive` after that, but for what comes
    over the next socket before its welcome. `report` gets sentences for the log.
    """

    tell: Callable[[Enter | Swap | GiveUp], None]
    note: Callable[[FrameReceived], None]
    receive: Callable[[FrameReceived], None]
    report: Callable[[str], None]


class Redialer:
    """Dials after `start`, and redials until `stop`. Its `name` is for the log."""

    def __init__(
        self,
        name: str,
        url: str,
        token: TokenSource,
        policy: TokenPolicy,
        callbacks: Callbacks,
        *,
        hear: Hear = forget_answer,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._policy = policy
        self._callbacks = callbacks
        self._sockets = WebSockets(url, token, self._handle, hear)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_online(self) -> bool:
        """Whether there is a connection that the server has welcomed."""
        return self._policy.connection.is_online

    def start(self) -> None:
        """Dial."""
        self._step(Start())

    def send(self, frame: dict[str, Any]) -> None:
        """Write a frame, if there is a connection."""
        self._sockets.send(None, frame)

    def hang_up(self, why: str) -> None:
        """Close the current socket, which is of no use any more; dial in the loop's next turn."""
        self._loop.call_soon(self._handle, self._close(why))

    def stop(self) -> None:
        """Write what waits, close all sockets, and dial no more."""
        self._step(Stop())
        if self._timer is not None:
            self._timer.cancel()

    async def wait_closed(self, timeout_s: float) -> None:
        """Return once the sockets are closed, after `timeout_s` seconds at the latest."""
        await self._sockets.wait_closed(timeout_s)

    def _handle(self, event: Event) -> None:
        with self._log_failures():
            self._step(self._reject_unreadable_welcome(event))

    def _reject_unreadable_welcome(self, event: Event) -> Event:
        """Return the event, or the end of its socket: without its welcome, it is of no use."""
        if not isinstance(event, FrameReceived) or event.socket == "old":
            return event
        frame = event.frame
        if frame.get("type") != "welcome" or not isinstance(parse(frame), Unreadable):
            return event
        return self._close("the server's welcome cannot be read", event.socket)

    def _close(self, why: str, which: Which = None) -> Closed:
        self._sockets.close(which, why)
        return Closed(ABNORMAL, which)

    def _step(self, event: Event) -> None:
        if isinstance(event, FrameReceived):
            wall = time.time_ns() // 1_000_000
            event = replace(event, frame=to_steady_clock(event.frame, wall, self._now()))
            self._callbacks.note(event)
        before = self._policy.connection
        jitter = random.random()  # noqa: S311 - spreads redials, protects nothing
        self._policy, outputs = token_policy.step(self._policy, event, self._now(), jitter)
        for output in outputs:
            with self._log_failures(output):
                self._carry_out(output)
        self._report_losses(before)
        if isinstance(event, FrameReceived) and (event.socket != "next" or Swap() in outputs):
            self._callbacks.receive(event)

    def _carry_out(self, output: Output | Report | GiveUp) -> None:
        match output:
            case Dial(which):
                self._sockets.dial(which)
            case Send(frame, which):
                self._sockets.send(which, frame)
            case Swap():
                self._sockets.swap()
                self._callbacks.tell(output)
            case Adopt():
                self._sockets.adopt()
            case Wake(at):
                self._wake(at)
            case Enter() | GiveUp():
                self._callbacks.tell(output)
            case SignIn():
                pass
            case Close(which):
                self._sockets.close(which)
            case Report(text):
                self._callbacks.report(text)
            case other:
                assert_never(other)

    def _wake(self, at: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at / 1000, self._handle, Tick())

    def _report_losses(self, before: ConnectionState) -> None:
        connection = self._policy.connection
        if isinstance(connection.current, Attempt) and connection.current != before.current:
            self._report_loss("offline", None, connection.current)
        if connection.next is not None and connection.next != before.next:
            self._report_loss("cannot redial yet", "next", connection.next)

    def _report_loss(self, what: str, which: Which, attempt: Attempt) -> None:
        if attempt.phase is Phase.WAITING:
            seconds = (attempt.due - self._now()) / 1000
            why = self._sockets.why(which)
            self._callbacks.report(f"{what}: {why}; dials again in {seconds:.1f} s")

    @contextmanager
    def _log_failures(self, output: Output | Report | GiveUp | None = None) -> Iterator[None]:
        # The machines are pure, so an event that one fails on has changed nothing; and each thing
        # that they ask for is tried.
        try:
            yield
        except Exception:  # noqa: BLE001 - the entry of all events
            what = "ignores what it fails on"
            if output is not None:
                what = f"fails to {type(output).__name__.lower()}"
            _log.exception("%s: %s", self._name, what)

    def _now(self) -> int:
        return int(self._loop.time() * 1000)
