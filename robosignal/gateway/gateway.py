"""The local gateway: API Gateway's WebSocket API, its management API and the console on one port.

Owns starting and stopping; must never know the rules, tokens or where state is kept.
"""

import asyncio
import errno
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from robosignal.gateway import management, pages, sign_in
from robosignal.gateway.dispatch import Dispatch, Handle, Prepare
from robosignal.gateway.front import Doors, Front
from robosignal.gateway.listener import Listener
from robosignal.gateway.plain import Plain
from robosignal.gateway.shared import Limits, Shared
from robosignal.gateway.sign_in import SignIns
from robosignal.gateway.sockets import Sockets
from robosignal.gateway.websocket import welcome
from robosignal.server.limits.limiter import Buckets
from robosignal.server.ports import Pacer

__all__ = ["Gateway", "Limits", "PortTaken"]


class PortTaken(Exception):
    """Another program listens on the port."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.host = host
        self.port = port

    def __str__(self) -> str:
        return f"port {self.port} of {self.host} is taken by another program"


class Gateway:
    """Serves from `start` to `stop`, or as an asynchronous context manager.

    `handle` is called as a Lambda handler is. It runs inline on the event loop and must not
    wait for anything that the same loop does; with `in_threads` it may, and calls overlap.
    `prepare` is awaited before `handle` gets a `$connect` event, and no other. `controls` counts
    pings and pongs, which `handle` never sees; None: as many as messages.
    """

    def __init__(
        self,
        handle: Handle,
        sockets: Sockets,
        *,
        web: Path,
        jwks: Callable[[], dict[str, Any]],
        host: str = "127.0.0.1",
        port: int = 8080,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        controls: Pacer | None = None,
        prepare: Prepare | None = None,
        in_threads: bool = False,
        sign_ins: SignIns | None = None,
        stage: str = "prod",
    ) -> None:
        """`port` 0 takes a free one; `limits.stopping_seconds` bounds each step of `stop`."""
        self.host = host
        self.port = port
        self._stage = stage
        self._stopping_seconds = limits.stopping_seconds
        self._dispatch = Dispatch(
            handle,
            prepare=prepare,
            in_threads=in_threads,
            timeout_seconds=limits.integration_seconds,
        )
        self._shared = Shared(self._dispatch, sockets, limits, controls or Buckets(), stage)
        api = management.routes(sockets, stage, limits.handshake_seconds)
        links = sign_in.routes(sign_ins or SignIns(), limits.handshake_seconds)
        self._plain = Plain([*api, *links, *pages.routes(web, jwks, stage)])
        self._doors = Doors(self._to_websocket, self._plain.take, limits.handshake_seconds)
        self._listener = Listener(lambda: Front(self._doors))

    @property
    def url(self) -> str:
        """Where the console is."""
        return f"http://{self._address}/"

    @property
    def websocket_url(self) -> str:
        """Where clients connect."""
        return f"ws://{self._address}/{self._stage}"

    @property
    def management_url(self) -> str:
        """The endpoint for a management API client."""
        return f"http://{self._address}/{self._stage}"

    async def start(self) -> None:
        """Listen, and set `port` to the real one; raise `PortTaken`, or `OSError` otherwise."""
        self._shared.sockets.bind(asyncio.get_running_loop())
        try:
            await self._plain.start()
            self.port = await self._listener.open(self.host, self.port)
        except OSError as failed:
            await self.stop()
            if failed.errno == errno.EADDRINUSE:
                raise PortTaken(self.host, self.port) from failed
            raise
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Refuse new connections, close the open ones with 1001, and let their ends be handled."""
        await self._listener.close()
        for front in tuple(self._doors.waiting):
            front.abort()
        await self._close_connections()
        await self._dispatch.drain(self._stopping_seconds)
        await self._plain.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def _address(self) -> str:
        # A wildcard is where to listen, not where to go.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    async def _close_connections(self) -> None:
        connections = tuple(self._shared.connections)
        for connection in connections:
            connection.shut()
        if not await _all((each.gone() for each in connections), self._stopping_seconds):
            for connection in connections:
                connection.abandon()
            await _all((each.gone() for each in connections), self._stopping_seconds)

    def _to_websocket(self, transport: asyncio.Transport, received: bytes) -> None:
        welcome(self._shared, transport, received)


async def _all(ends: Iterable[Coroutine[Any, Any, None]], seconds: float) -> bool:
    """Tell whether all of these came to their end in time."""
    tasks = [asyncio.ensure_future(end) for end in ends]
    if not tasks:
        return True
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    return not late
