"""The backend that the probe's tests share."""

from collections.abc import AsyncIterator

import pytest

from robosignal.testing import LocalBackend


@pytest.fixture
async def backend() -> AsyncIterator[LocalBackend]:
    """The whole backend on this machine."""
    async with LocalBackend() as backend:
        yield backend
