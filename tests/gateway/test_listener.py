"""Accepting connections when no more can be opened."""

import asyncio
import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from robosignal.gateway.listener import Listener

RETRY_SECONDS = 0.02


class Greeting(asyncio.Protocol):
    """Says hello and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet each client that was accepted."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@contextmanager
def no_file_left() -> Iterator[None]:
    """Let no file be opened meanwhile."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def greeted(client: socket.socket) -> bytes:
    """Return what a client hears."""
    client.setblocking(False)  # noqa: FBT003 - the socket module's own
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(client, 10)


async def test_a_connection_that_finds_no_file_left_waits_for_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says so once, however often it is tried, and without a traceback."""
    listener = Listener(Greeting, RETRY_SECONDS)
    port = await listener.open("127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", port)) as client:
        with no_file_left():
            await asyncio.sleep(10 * RETRY_SECONDS)
        heard = await greeted(client)
    await listener.close()

    assert heard == b"hello"
    assert [(record.levelno, record.message, record.exc_info) for record in caplog.records] == [
        (
            logging.ERROR,
            "cannot accept another connection (Too many open files): new ones wait",
            None,
        )
    ]


async def test_many_that_dial_at_once_are_all_accepted() -> None:
    """More than are accepted in one go."""
    listener = Listener(Greeting)
    port = await listener.open("127.0.0.1", 0)
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
    heard = [await greeted(client) for client in clients]
    for client in clients:
        client.close()
    await listener.close()

    assert heard == [b"hello"] * 150


async def test_a_closed_listener_leaves_its_port_free() -> None:
    """Also when it waits for room at that moment."""
    listener = Listener(Greeting, 60)
    port = await listener.open("127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", port)):
        with no_file_left():
            await asyncio.sleep(RETRY_SECONDS)
        await listener.close()

    again = Listener(Greeting)
    assert await again.open("127.0.0.1", port) == port
    await again.close()
