import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK

from robosignal.gateway.connections import ConnectionInfo, OpenConnections
from robosignal.protocol.errors import TooLarge, TryAgain
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.limits import MESSAGE_BYTES
from tests.gateway.conftest import Serve
from tests.gateway.recorder import Recorder

if TYPE_CHECKING:
    from robosignal.server.ports import Poster

ONE = ConnectionId("JC1dgf9yoAMCK-g=")


class Kept:
    """A socket that keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: list[tuple[int, str]] = []

    def post(self, frame: bytes) -> bool:
        """Keep a frame."""
        self.frames.append(frame)
        return True

    def close(self, code: int, reason: str) -> None:
        """Keep a close."""
        self.closed.append((code, reason))

    def info(self) -> ConnectionInfo:
        """Return made-up facts."""
        return ConnectionInfo(1, 2, "127.0.0.1", None)


def test_they_are_a_poster() -> None:
    """What the rules ask of delivery, they give."""
    poster: Poster = OpenConnections()

    assert poster.post(ONE, b"x") is False


def test_a_post_to_no_connection_is_gone() -> None:
    """As it is after the connection was removed, once or twice."""
    sockets = OpenConnections()
    sockets.add(ONE, Kept())
    sockets.remove(ONE)
    sockets.remove(ONE)

    assert sockets.post(ONE, b"x") is False


def test_a_post_reaches_its_socket_alone() -> None:
    """Ids lead to sockets."""
    sockets, one, two = OpenConnections(), Kept(), Kept()
    sockets.add(ONE, one)
    sockets.add(ConnectionId("other"), two)
    sockets.post(ONE, b"x")

    assert (one.frames, two.frames) == ([b"x"], [])


def test_a_frame_over_128_kib_is_too_large() -> None:
    """The management API answers 413 there; the limit itself passes."""
    sockets, socket = OpenConnections(), Kept()
    sockets.add(ONE, socket)
    sockets.post(ONE, bytes(MESSAGE_BYTES))

    with pytest.raises(TooLarge):
        sockets.post(ONE, bytes(MESSAGE_BYTES + 1))


def test_a_close_is_a_normal_one() -> None:
    """With the words that real events bear after a DELETE."""
    sockets, socket = OpenConnections(), Kept()
    sockets.add(ONE, socket)
    sockets.close(ONE)

    assert socket.closed == [(1000, "Connection Closed Normally")]


def test_closing_no_connection_is_no_error() -> None:
    """Only `end` tells the difference."""
    sockets = OpenConnections()
    sockets.close(ONE)

    assert sockets.close_if_open(ONE) is False


async def test_another_thread_may_post_close_and_ask(serve: Serve) -> None:
    """Each acts on the loop, and its result comes back to the thread."""
    sockets, handle = OpenConnections(), Recorder()
    async with connect((await serve(handle, sockets)).websocket_url) as client:
        event = await handle.event("$connect")
        connection = ConnectionId(event["requestContext"]["connectionId"])
        posted = await asyncio.to_thread(sockets.post, connection, b"hello")
        facts = await asyncio.to_thread(sockets.info, connection)
        await asyncio.to_thread(sockets.close, connection)
        received = await client.recv()
        with pytest.raises(ConnectionClosedOK):
            await client.recv()

    assert (posted, received) == (True, "hello")
    assert facts is not None
    assert facts.source_ip == "127.0.0.1"


async def test_an_error_on_the_loop_is_raised_in_the_thread() -> None:
    """A thread is never left waiting."""

    class Broken(Kept):
        def post(self, frame: bytes) -> bool:
            raise LookupError(frame)

    sockets = OpenConnections()
    sockets.bind(asyncio.get_running_loop())
    sockets.add(ONE, Broken())

    with pytest.raises(LookupError):
        await asyncio.to_thread(sockets.post, ONE, b"x")


async def test_a_loop_that_does_not_answer_is_an_error_that_may_pass() -> None:
    """The thread gets `TryAgain` rather than waiting for ever, and the frame is not sent later."""
    sockets, socket = OpenConnections(loop_timeout_seconds=0.01), Kept()
    sockets.bind(asyncio.get_running_loop())
    sockets.add(ONE, socket)
    # Waiting for the thread here keeps the loop from running.
    with ThreadPoolExecutor() as pool, pytest.raises(TryAgain):
        pool.submit(sockets.post, ONE, b"x").result()
    await asyncio.sleep(0)

    assert socket.frames == []


async def test_a_connection_that_is_closing_is_gone(serve: Serve) -> None:
    """From the close on, whatever the client still does."""
    sockets, handle = OpenConnections(), Recorder()
    async with connect((await serve(handle, sockets)).websocket_url):
        event = await handle.event("$connect")
        connection = ConnectionId(event["requestContext"]["connectionId"])
        before = sockets.close_if_open(connection)

        assert (before, sockets.post(connection, b"x"), sockets.close_if_open(connection)) == (
            True,
            False,
            False,
        )


def test_each_connection_opens_later_than_the_one_before() -> None:
    """Also when the wall clock has stepped back: a redial must look newer, never older."""
    sockets = OpenConnections()

    opened = [sockets.next_connected_at(now) for now in (1000, 1000, 940, 2000)]

    assert opened == [1000, 1001, 1002, 2000]
