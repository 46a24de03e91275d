"""The real backend in the test's own process, on a loopback port.

It is what `robosignal serve` runs: the handler of the Lambda behind the local gateway, with real
sockets, tokens and leases. Only the command line is left out.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from robosignal.gateway.backend import Backend, BackendSettings
from robosignal.gateway.keys import TOKEN_SECONDS
from robosignal.gateway.limits import Limits
from robosignal.probe.connection import dial, resolve
from robosignal.protocol.limits import IDLE_SECONDS, LIFETIME_SECONDS
from robosignal.server.settings import read_options
from robosignal.testing.client import Client

T = TypeVar("T")


class LocalBackend:
    """A backend that serves while its block runs, and leaves nothing behind.

    `async with LocalBackend() as backend` runs it on the running event loop. `with LocalBackend()
    as backend` runs it in a thread, for tests without asyncio, or that block the loop.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        port: int = 0,
        state: Path | None = None,
        idle_timeout_s: float = IDLE_SECONDS,
        max_lifetime_s: float = LIFETIME_SECONDS,
        seed_keepalive_s: float | None = None,
    ) -> None:
        """Take the settings; nothing starts before the block is entered.

        `environment` has settings by the names that the README lists, from `ICE_SERVERS` to
        `LIMITS`, such as `{"LIMITS": "off"}`; the process's own environment is not read.
        `port` is the TCP port on 127.0.0.1, 0 for a free one. `state` is the directory for robots
        and the signing key; None keeps both in memory. Give `port` and `state` to start a backend
        again where another one was. `idle_timeout_s` and `max_lifetime_s` are in seconds, above 0:
        after that long without a message, or in any case, connections are closed as API Gateway
        closes them. `seed_keepalive_s` sends a frame to connections of the seed dialect at that
        interval; None sends none.

        Raise `robosignal.server.settings.BadEnvironment` for a setting that cannot be used.
        """
        self._options = read_options(environment or {})
        self._service = BackendSettings(
            port=port,
            state=state,
            limits=Limits(idle_seconds=idle_timeout_s, lifetime_seconds=max_lifetime_s),
            seed_keepalive_seconds=seed_keepalive_s,
        )
        self._running: Backend | None = None
        self._thread: _LoopThread | None = None

    @property
    def url(self) -> str:
        """Where robots and clients connect, such as `ws://127.0.0.1:40123/prod`."""
        return self._local.gateway.websocket_url

    @property
    def page_url(self) -> str:
        """Where the console is; a browser signs in at `f"{page_url}#token={token}"`."""
        return self._local.gateway.url

    @property
    def port(self) -> int:
        """The TCP port that the backend listens on."""
        return self._local.gateway.port

    def token(self, user: str, groups: Sequence[str] = (), *, ttl_s: int = TOKEN_SECONDS) -> str:
        """Return a token with which this user signs in.

        `user` is 1 to 128 characters of printable ASCII, the first one no `#`; `groups` such as
        `["ADMINS"]`; `ttl_s` is its lifetime in seconds, from 1 to 86,400. Raise ValueError for
        a user or a lifetime outside these bounds.
        """
        return self._local.key.sign(user, groups, ttl_s)

    @asynccontextmanager
    async def connect(
        self, user: str, *, groups: Sequence[str] = (), timeout_s: float = 10
    ) -> AsyncIterator[Client]:
        """Yield a client that has signed in as this user; it is disconnected when the block ends.

        `user` and `groups` are as for `token`. `timeout_s` is how long, in seconds, each frame may
        take to arrive. Raise ValueError for a user that `token` refuses, and
        HandshakeRejected if the backend refuses the connection.
        """
        token = self.token(user, groups=groups)
        addresses = await resolve(self.url, timeout_s)
        connection = await dial(self.url, token, addresses, timeout_s)
        try:
            welcome = await connection.request({"type": "ready", "protocol": 1}, "welcome")
            yield Client(connection, welcome.frame, timeout_s)
        finally:
            await connection.close()

    async def __aenter__(self) -> Self:
        local = Backend(self._service, self._options)
        self._running = await local.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        local, self._running = self._local, None
        await local.__aexit__()

    def __enter__(self) -> Self:
        self._thread = _LoopThread()
        try:
            return self._thread.run(self.__aenter__())
        except BaseException:
            self._thread.stop()
            raise

    def __exit__(self, *_: object) -> None:
        if self._thread is None:
            raise RuntimeError("this backend was not started by `with`")
        try:
            self._thread.run(self.__aexit__())
        finally:
            self._thread.stop()

    @property
    def _local(self) -> Backend:
        if self._running is None:
            raise RuntimeError(
                "the backend is not running: enter its block first, `with LocalBackend() as …`"
            )
        return self._running


class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="robosignal-backend", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop, and return or raise what it does."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
