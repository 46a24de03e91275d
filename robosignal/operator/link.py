"""A peer connection in use: its commands, and what the robot declares and publishes over it."""

import asyncio
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, assert_never

from robosignal.operator.channels import (
    Capabilities,
    Heartbeat,
    Message,
    Pong,
    Refused,
    Stop,
    Telemetry,
    name_values,
    read_controls,
)
from robosignal.operator.commands import CommandSender, Standing
from robosignal.operator.events import Stopped, StopRefused
from robosignal.operator.peer import Peer
from robosignal.robot.telemetry import Field, Value

if TYPE_CHECKING:
    from robosignal.robot.controls import Control

PATH_SECONDS = 15
"""How long a path for media may take to open, from the robot's answer on."""

SILENCE_MS = 10_000
"""How long the robot may be silent before a new peer connection is offered."""

AWAY = "The robot went away. Waiting for it to come back."
PATHLESS = "The robot answers, but no path for media opens to it. A TURN server may be needed."


class Link:
    """A peer connection, and what has come over it.

    `open_peer` makes it, with the function that is to hear the robot's messages. `standing` says
    who drives as the session knows it, and `refused` is told the epoch that the robot obeys
    instead. `emit` is told of stops, and `publish` of telemetry: the values of one message.
    """

    def __init__(
        self,
        open_peer: Callable[[Callable[[Message], None]], Peer],
        standing: Callable[[], Standing],
        refused: Callable[[int], None],
        emit: Callable[[Stopped | StopRefused], None],
        publish: Callable[[Mapping[str, Value]], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._refused = refused
        self._emit = emit
        self._publish = publish
        self._newest = -1
        self._is_open = False
        self._path_due = math.inf
        self.controls: tuple[Control | None, ...] = ()
        """Those that the robot declares; None for one of a later version."""
        self.held: Mapping[str, Value] = MappingProxyType({})
        self.offer: dict[str, str] = {}
        """The payload of the offer that it began with."""
        self.peer = open_peer(self._hear)
        self.sender = CommandSender(
            self.peer.channels, lambda: self._loop.time() * 1000, standing, refused
        )

    @property
    def capabilities(self) -> Capabilities | None:
        """What the robot declares; None before it has."""
        return self.sender.capabilities

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of telemetry that the robot declares."""
        return () if self.capabilities is None else tuple(self.capabilities.telemetry)

    def begin(self) -> None:
        """Note that the robot has answered: a path must open from now on."""
        self._path_due = self._loop.time() + PATH_SECONDS

    def send_due(self) -> None:
        """Send the commands that are due."""
        if self.peer.channels.opened.is_set() and not self._is_open:
            self._is_open = True
            self.sender.open()
        self.sender.repeat()

    def find_trouble(self) -> str | None:
        """Return why it is of no use any more, for people; None while it is."""
        if self.peer.is_lost:
            return AWAY if self._is_open else PATHLESS
        if not self.peer.is_connected and self._loop.time() >= self._path_due:
            return PATHLESS
        silence = self.sender.silence_ms
        return AWAY if math.isfinite(silence) and silence >= SILENCE_MS else None

    def _hear(self, message: Message) -> None:
        match message:
            case Heartbeat():
                self.sender.hear(message)
                if message.held:
                    names = [each.name if each is not None else "" for each in self.controls]
                    self.held = MappingProxyType(name_values(names, message.held))
            case Capabilities():
                self._declare(message)
            case Telemetry():
                self._hear_telemetry(message)
            case Stop(by):
                self.sender.stopped_by = by
                self._emit(Stopped(by))
            case Refused():
                self._hear_refused(message)
            case Pong():
                pass
            case other:
                assert_never(other)

    def _declare(self, capabilities: Capabilities) -> None:
        self.sender.capabilities = capabilities
        self.controls = read_controls(capabilities)
        if capabilities.telemetry:
            self.peer.channels.open_telemetry()

    def _hear_telemetry(self, message: Telemetry) -> None:
        # On a channel without order, what is older says nothing new.
        if message.n > self._newest:
            self._newest = message.n
            self._publish(name_values([each.name for each in self.fields], message.values))

    def _hear_refused(self, message: Refused) -> None:
        if message.what is None:
            self._refused(message.epoch)
        elif message.what in ("stop", "clear-stop"):
            self._emit(StopRefused(message.what))
