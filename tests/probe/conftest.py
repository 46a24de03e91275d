"""The backend that the probe's tests share."""

from collections.abc import AsyncIterator

import pytest

from robosignal.gateway.local import Local, Service
from robosignal.server.settings import read_options


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    """The whole backend on this machine."""
    async with Local(Service(port=0), read_options({})) as backend:
        yield backend
