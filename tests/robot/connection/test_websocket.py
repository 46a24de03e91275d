import asyncio

from websockets.asyncio.server import ServerConnection, serve

from robosignal.protocol.limits import FRAME_BYTES, MESSAGE_BYTES
from robosignal.robot.connection.events import Closed, Event, FrameReceived, Opened, Refused
from robosignal.robot.connection.websocket import WebSocket
from robosignal.robot.token import from_text

PATIENCE = 10


class Heard:
    """What a socket told, in order."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    def tell(self, event: Event) -> None:
        """Take an event."""
        self._events.put_nowait(event)

    async def next(self) -> Event:
        """Return the next event."""
        return await asyncio.wait_for(self._events.get(), PATIENCE)

    def nothing(self) -> bool:
        """Whether all was heard."""
        return self._events.empty()


async def echo(socket: ServerConnection) -> None:
    """Say everything back."""
    async for text in socket:
        await socket.send(text)


def url_of(port: int) -> str:
    """Return the address of a port on loopback."""
    return f"ws://127.0.0.1:{port}/prod"


async def test_long_message_is_sent_in_frames_that_the_server_takes() -> None:
    """No frame is over 32 KiB, whatever letters the message has."""
    heard = Heard()
    frame = {"type": "answer", "payload": {"sdp": "é" * 20_000}}
    async with serve(echo, "127.0.0.1", 0, max_size=(MESSAGE_BYTES, FRAME_BYTES)) as server:
        socket = WebSocket(
            url_of(next(iter(server.sockets)).getsockname()[1]), from_text("t"), heard.tell
        )
        socket.send(frame)
        told = [await heard.next(), await heard.next()]
        socket.close()
        await socket.done

    assert told == [Opened(), FrameReceived(frame)]


async def test_server_that_closes_is_told_with_its_code() -> None:
    """The last event is the end."""

    async def leave(socket: ServerConnection) -> None:
        await socket.close(1001)

    heard = Heard()
    async with serve(leave, "127.0.0.1", 0) as server:
        socket = WebSocket(
            url_of(next(iter(server.sockets)).getsockname()[1]), from_text("t"), heard.tell
        )
        told = [await heard.next(), await heard.next()]

    assert told == [Opened(), Closed(1001)]
    assert socket.why == "the server closed the connection (1001)"


async def test_server_that_breaks_off_is_not_said_to_have_closed() -> None:
    """As when it is killed: the code in the event is RFC 6455's own for that."""

    async def vanish(socket: ServerConnection) -> None:
        socket.transport.abort()

    heard = Heard()
    async with serve(vanish, "127.0.0.1", 0) as server:
        socket = WebSocket(
            url_of(next(iter(server.sockets)).getsockname()[1]), from_text("t"), heard.tell
        )
        told = [await heard.next(), await heard.next()]

    assert told == [Opened(), Closed(1006)]
    assert socket.why == "the connection broke"


async def test_refused_handshake_is_told_with_its_status() -> None:
    """What the status means is for others to say."""
    heard = Heard()
    async with serve(
        echo, "127.0.0.1", 0, process_request=lambda its, _: its.respond(403, "")
    ) as server:
        socket = WebSocket(
            url_of(next(iter(server.sockets)).getsockname()[1]), from_text("t"), heard.tell
        )
        told = await heard.next()

    assert (told, socket.why) == (Refused(403), "the server answers 403 Forbidden")


async def test_closed_port_is_a_loss_that_names_no_address() -> None:
    """The address may bear a token, so the reason does not quote it."""
    heard = Heard()
    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
    socket = WebSocket(url_of(port), from_text("t"), heard.tell)
    told = await heard.next()

    assert (told, socket.why) == (Closed(1006), "no server listens there")


async def test_closed_socket_tells_nothing_more() -> None:
    """The side that closed it does not report its end as a loss."""
    heard = Heard()
    async with serve(echo, "127.0.0.1", 0) as server:
        socket = WebSocket(
            url_of(next(iter(server.sockets)).getsockname()[1]), from_text("t"), heard.tell
        )
        opened = await heard.next()
        socket.send({"type": "ping"})
        socket.close()
        await asyncio.wait_for(socket.done, PATIENCE)

    assert opened == Opened()
    assert heard.nothing()
