"""Gateways for tests, on loopback and on free ports."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.gateway import Gateway
from robosignal.gateway.integration import Handle, Prepare
from robosignal.gateway.limits import Limits
from robosignal.gateway.sign_in import SignIns
from robosignal.gateway.tls import Tls
from robosignal.server.ports import Pacer


class Serve(Protocol):
    """Starts a gateway that is stopped when the test ends."""

    def __call__(
        self,
        handle: Handle,
        sockets: OpenConnections | None = None,
        *,
        limits: Limits = ...,
        control_frames: Pacer | None = None,
        prepare: Prepare | None = None,
        in_threads: bool = False,
        sign_ins: SignIns | None = None,
        tls: Tls | None = None,
    ) -> Awaitable[Gateway]:
        """Return it once it listens."""


@pytest.fixture
def web_root(tmp_path: Path) -> Path:
    """Return the directory whose files the gateway serves."""
    root = tmp_path / "web"
    root.mkdir()
    return root


@pytest.fixture
async def serve(web_root: Path) -> AsyncIterator[Serve]:
    """Start gateways on free ports; all are stopped afterwards."""
    async with AsyncExitStack() as stack:

        async def start(
            handle: Handle, sockets: OpenConnections | None = None, **settings: Any
        ) -> Gateway:
            gateway = Gateway(
                handle,
                sockets or OpenConnections(),
                web=web_root,
                jwks=lambda: {"keys": [{"kid": "k1"}]},
                port=0,
                **settings,
            )
            return await stack.enter_async_context(gateway)

        yield start
