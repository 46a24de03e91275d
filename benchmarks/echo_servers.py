"""`python -m benchmarks.echo_servers KIND`: a WebSocket server that only returns what it is sent.

`aiohttp` and `websockets` are these libraries' own servers. `transport` is the local gateway
without its rules: it hands each message to the connection that opened before or after it.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.gateway import Gateway
from robosignal.loadtest.measured_process import report_cpu
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.limits import SUBPROTOCOL

HOST = "127.0.0.1"


async def serve_aiohttp(stack: AsyncExitStack) -> str:
    """Serve with aiohttp's application and handler; return the URL."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, protocols=[SUBPROTOCOL])
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
        return socket

    app = web.Application()
    app.add_routes([web.get("/", echo)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, HOST, 0).start()
    _, port = runner.addresses[0]
    return f"ws://{HOST}:{port}/"


async def serve_websockets(stack: AsyncExitStack) -> str:
    """Serve with websockets' asyncio server; return the URL."""

    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    server = await stack.enter_async_context(
        serve(echo, HOST, 0, compression=None, subprotocols=[Subprotocol(SUBPROTOCOL)])
    )
    port = next(iter(server.sockets)).getsockname()[1]
    return f"ws://{HOST}:{port}/"


async def serve_transport(stack: AsyncExitStack) -> str:
    """Serve with the local gateway and a handler without rules; return the URL."""
    relay = PairRelay()
    gateway = Gateway(relay.handle, relay.sockets, web=Path(__file__).parent, jwks=dict, port=0)
    await stack.enter_async_context(gateway)
    return gateway.websocket_url


class PairRelay:
    """A handler that passes what one connection of a pair sends to the other."""

    def __init__(self) -> None:
        self.sockets = OpenConnections()
        self._other: dict[ConnectionId, ConnectionId] = {}
        self._single: ConnectionId | None = None

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Answer as a Lambda does."""
        context = event["requestContext"]
        connection = ConnectionId(context["connectionId"])
        if context["eventType"] == "CONNECT":
            self._pair(connection)
            return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": SUBPROTOCOL}}
        if context["eventType"] == "MESSAGE":
            self.sockets.post(self._other[connection], event["body"].encode())
        return {"statusCode": 200}

    def _pair(self, connection: ConnectionId) -> None:
        if self._single is None:
            self._single = connection
            return
        self._other |= {connection: self._single, self._single: connection}
        self._single = None


KINDS = {"aiohttp": serve_aiohttp, "websockets": serve_websockets, "transport": serve_transport}


async def main(kind: str) -> None:
    """Serve until standard input ends."""
    async with AsyncExitStack() as stack:
        await report_cpu({"url": await KINDS[kind](stack)})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
