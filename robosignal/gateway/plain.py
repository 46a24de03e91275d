"""Plain HTTP behind the front: aiohttp with the gateway's bounds, hardened also where it fails.

Owns aiohttp's settings; must never know WebSockets or what the routes answer.
"""

import asyncio
import logging
from collections.abc import Iterable

from aiohttp import web

from robosignal.gateway import pages
from robosignal.protocol.limits import MESSAGE_BYTES

LINGERING_SECONDS = 0.5
"""How long a body that nobody wants is still read, so that its sender can read the answer."""

_silent = logging.getLogger("robosignal.gateway.http")
_silent.setLevel(logging.CRITICAL)


class Plain:
    """Serves some routes on transports that are handed over."""

    def __init__(self, routes: Iterable[web.RouteDef]) -> None:
        # aiohttp refuses a body that reaches its limit; ours may reach it.
        app = web.Application(client_max_size=MESSAGE_BYTES + 1)
        app.on_response_prepare.append(pages.harden)
        app.add_routes(routes)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Be ready for transports."""
        await self._runner.setup()

    async def stop(self) -> None:
        """End what is served still."""
        await self._runner.cleanup()

    def take(self, transport: asyncio.Transport, received: bytes) -> None:
        """Take over a transport on which the head of a request, and maybe more, arrived."""
        server = self._runner.server
        if server is None:
            transport.abort()
            return
        protocol = _Hardened(
            server,
            loop=asyncio.get_running_loop(),
            # Its own lines quote what a stranger sent, tokens in a query too.
            logger=_silent,
            access_log=_silent,
            lingering_time=LINGERING_SECONDS,
        )
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(received)


class _Hardened(web.RequestHandler):
    """One HTTP connection; a request that cannot be read passes by the application's signals."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return aiohttp's response, with the headers that every other one bears."""
        response = super().handle_error(request, status, exc, message)
        response.headers.update(pages.SECURITY_HEADERS)
        return response
