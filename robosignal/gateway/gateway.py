"""The local gateway: API Gateway's WebSocket and management APIs and the console on one port."""

import asyncio
import errno
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.http_server import HttpServer
from robosignal.gateway.integration import Handle, Integration, Prepare
from robosignal.gateway.limits import Limits
from robosignal.gateway.listener import Listener, Protocols, RequestHead
from robosignal.gateway.management import management_routes
from robosignal.gateway.names import WILDCARDS, is_loopback
from robosignal.gateway.pages import page_routes
from robosignal.gateway.sign_in import SignIns, sign_in_routes
from robosignal.gateway.tls import Tls
from robosignal.gateway.websocket import GatewayContext, accept
from robosignal.server.limits.limiter import Buckets
from robosignal.server.ports import Pacer


class PortTaken(Exception):
    """Another program listens on the port of this address."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.host = host
        self.port = port

    def __str__(self) -> str:
        return f"port {self.port} of {self.host} is taken by another program"


class Gateway:
    """Serves from `start` to `stop`, or as an asynchronous context manager.

    `handle` is called as a Lambda handler is. It runs inline on the event loop, and must not wait
    for anything that the same loop does; with `in_threads` it may, and calls overlap. `prepare`
    is awaited before `handle` gets a `$connect` event. `control_frames` counts pings and pongs,
    which `handle` never sees; None allows as many as messages.
    """

    def __init__(
        self,
        handle: Handle,
        connections: OpenConnections,
        *,
        web: Path,
        jwks: Callable[[], dict[str, Any]],
        host: str = "127.0.0.1",
        port: int = 8080,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        control_frames: Pacer | None = None,
        prepare: Prepare | None = None,
        in_threads: bool = False,
        sign_ins: SignIns | None = None,
        stage: str = "prod",
        tls: Tls | None = None,
    ) -> None:
        """`port` 0 takes a free one; `limits.stopping_seconds` limits each step of `stop`.

        `tls` encrypts every connection; None none.
        """
        self.host = host
        self.port = port
        self.tls = tls
        self._stage = stage
        self._stopping_seconds = limits.stopping_seconds
        self._integration = Integration(
            handle,
            prepare=prepare,
            in_threads=in_threads,
            timeout_seconds=limits.integration_seconds,
        )
        self._context = GatewayContext(
            self._integration, connections, limits, control_frames or Buckets(), stage
        )
        api = management_routes(connections, stage, limits.handshake_seconds)
        sign_in = sign_in_routes(sign_ins or SignIns(), limits.handshake_seconds)
        self._http = HttpServer([*api, *sign_in, *page_routes(web, jwks, stage)])
        self._protocols = Protocols(
            websocket=lambda transport, received: accept(self._context, transport, received),
            http=self._http.take_over,
            seconds=limits.handshake_seconds,
        )
        self._listener = Listener(
            lambda: RequestHead(self._protocols),
            tls=tls.context if tls else None,
            tls_seconds=limits.handshake_seconds,
        )

    @property
    def url(self) -> str:
        """Where the console is."""
        return f"{self._http_scheme}://{self._address}/"

    @property
    def websocket_url(self) -> str:
        """Where clients connect."""
        return self._format_websocket_url(self._host)

    @property
    def local_websocket_url(self) -> str:
        """Where clients on this machine connect: by loopback, which no proxy is asked for."""
        if self.tls is None:
            return self.websocket_url
        local = (host for host in self.tls.hosts if is_loopback(host))
        return self._format_websocket_url(next(local, self._host))

    @property
    def websocket_urls(self) -> frozenset[str]:
        """Every address that clients may use for `websocket_url`."""
        if self.tls is not None:
            hosts = {self._host, *self.tls.hosts}
        else:
            hosts = {self.host, self._host, "127.0.0.1", "localhost"}
        urls = {self._format_websocket_url(host) for host in hosts}
        port = f":{443 if self.tls else 80}/"
        # A client may leave out the scheme's own port.
        return frozenset(urls | {url.replace(port, "/") for url in urls})

    @property
    def management_url(self) -> str:
        """The endpoint for a management API client."""
        return f"{self._http_scheme}://{self._address}/{self._stage}"

    async def start(self) -> None:
        """Listen, and set `port` to the real one. Raise PortTaken; OSError for any other reason."""
        self._context.open_connections.bind(asyncio.get_running_loop())
        try:
            await self._http.start()
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
        """Accept no more, close the open connections with 1001, and handle their `$disconnect`."""
        await self._listener.close()
        for head in tuple(self._protocols.waiting):
            head.abort()
        await self._close_connections()
        await self._integration.drain(self._stopping_seconds)
        await self._http.stop()

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
        return self._format_address(self._host)

    @property
    def _http_scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def _host(self) -> str:
        # With TLS, other machines are meant, and the certificate says under which name.
        if self.tls is not None and self.tls.hosts:
            return self.tls.hosts[0]
        # A wildcard is an address to listen on, not to connect to.
        return WILDCARDS.get(self.host, self.host)

    def _format_address(self, host: str) -> str:
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def _format_websocket_url(self, host: str) -> str:
        scheme = "wss" if self.tls else "ws"
        return f"{scheme}://{self._format_address(host)}/{self._stage}"

    async def _close_connections(self) -> None:
        connections = tuple(self._context.connections)
        for connection in connections:
            connection.shut_down()
        if not await _wait_for_all(
            (each.wait_until_gone() for each in connections), self._stopping_seconds
        ):
            for connection in connections:
                connection.abandon()
            await _wait_for_all(
                (each.wait_until_gone() for each in connections), self._stopping_seconds
            )


async def _wait_for_all(ends: Iterable[Coroutine[Any, Any, None]], seconds: float) -> bool:
    """Wait for all of these; return whether they ended in time."""
    tasks = [asyncio.ensure_future(end) for end in ends]
    if not tasks:
        return True
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    return not late
