"""The server of plain HTTP: aiohttp with the gateway's limits, and security headers on all."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from robosignal.protocol.limits import MESSAGE_BYTES

LINGERING_SECONDS = 0.5
"""How long a body that is not needed is still read, so that its sender can read the answer."""

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss: https:; "
        "media-src blob: mediastream: 'self'; style-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_silent = logging.getLogger("robosignal.gateway.http")
_silent.setLevel(logging.CRITICAL)


class HttpServer:
    """Serves routes on transports that it takes over."""

    def __init__(self, routes: Iterable[web.RouteDef]) -> None:
        # aiohttp refuses a body that reaches its limit; a body may have exactly MESSAGE_BYTES.
        app = web.Application(client_max_size=MESSAGE_BYTES + 1)
        app.on_response_prepare.append(harden)
        app.add_routes(routes)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Get ready to take over transports."""
        await self._runner.setup()

    async def stop(self) -> None:
        """End the requests that are still served."""
        await self._runner.cleanup()

    def take_over(self, transport: asyncio.Transport, received: bytes) -> None:
        """Take over a transport on which the head of a request, and maybe more, arrived."""
        server = self._runner.server
        if server is None:
            transport.abort()
            return
        protocol = _HardenedHandler(
            server,
            loop=asyncio.get_running_loop(),
            # Its own log lines quote what was sent, tokens in a query included.
            logger=_silent,
            access_log=_silent,
            lingering_time=LINGERING_SECONDS,
        )
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(received)


class _HardenedHandler(web.RequestHandler):
    """One HTTP connection. For requests that cannot be read, aiohttp skips the signals."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return aiohttp's response, with the security headers that every other response has."""
        response = super().handle_error(request, status, exc, message)
        response.headers.update(SECURITY_HEADERS)
        return response


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Add the security headers to a response that is about to be sent, and close after it.

    A signal handler, because some refusals, such as 417, skip every middleware. With one request a
    connection, the listener sees every request's head: what it refuses cannot follow another
    request, and no client holds an idle connection open.
    """
    del request
    response.headers.update(SECURITY_HEADERS)
    response.headers["Connection"] = "close"
    response.force_close()
