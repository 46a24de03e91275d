"""A proxy in front of a gateway that delays every frame by a time of its own, in both directions.

So every frame may overtake every other, as on API Gateway. It reads none of them.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial

from aiohttp import ClientSession, ClientWebSocketResponse, WSMessage, WSMsgType, web

STARTING_SECONDS = 10
PASSED_ON = ("Content-Type", "Content-Security-Policy")
"""What a page's answer says to a browser."""

Socket = web.WebSocketResponse | ClientWebSocketResponse


class Proxy:
    """Passes pages on at once, and each frame after a time between the two bounds, in seconds."""

    def __init__(self, page_url: str, shortest_s: float, longest_s: float, seed: int) -> None:
        self._page_url = page_url.rstrip("/")
        self._bounds = (shortest_s, longest_s)
        self._random = random.Random(seed)  # noqa: S311 - spreads frames, protects nothing

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of a page's or a robot's."""
        async with ClientSession(auto_decompress=False) as session:
            if "Upgrade" in request.headers:
                return await self._relay(request, session)
            async with session.get(self._page_url + request.path_qs) as found:
                passed = {name: found.headers[name] for name in PASSED_ON if name in found.headers}
                return web.Response(status=found.status, headers=passed, body=await found.read())

    async def _relay(self, request: web.BaseRequest, session: ClientSession) -> web.StreamResponse:
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(", ")
        url = self._page_url + request.path_qs
        async with session.ws_connect(url, protocols=offered) as far:
            near = web.WebSocketResponse(protocols=offered)
            await near.prepare(request)
            ways = [asyncio.create_task(self._pump(*way)) for way in ((near, far), (far, near))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await near.close()
        return near

    async def _pump(self, source: Socket, sink: Socket) -> None:
        async with asyncio.TaskGroup() as late:
            async for message in source:
                late.create_task(self._deliver(message, sink))

    async def _deliver(self, message: WSMessage, sink: Socket) -> None:
        await asyncio.sleep(self._random.uniform(*self._bounds))
        # Who has hung up meanwhile gets no more.
        with suppress(ConnectionError):
            if message.type == WSMsgType.TEXT:
                await sink.send_str(message.data)


@contextmanager
def delaying(page_url: str, shortest_s: float, longest_s: float, seed: int) -> Iterator[str]:
    """Run a proxy in a thread until left; yield the page's address through it."""
    proxy = Proxy(page_url, shortest_s, longest_s, seed)
    started: Future[tuple[int, Callable[[], object]]] = Future()
    thread = threading.Thread(target=asyncio.run, args=(_serve(proxy, started),), daemon=True)
    thread.start()
    port, stop = started.result(STARTING_SECONDS)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        stop()
        thread.join(STARTING_SECONDS)


async def _serve(proxy: Proxy, started: Future[tuple[int, Callable[[], object]]]) -> None:
    stop = asyncio.Event()
    runner = web.ServerRunner(web.Server(proxy.answer), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    loop = asyncio.get_running_loop()
    started.set_result((runner.addresses[0][1], partial(loop.call_soon_threadsafe, stop.set)))
    await stop.wait()
    await runner.cleanup()
