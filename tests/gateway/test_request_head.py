import asyncio

import pytest

from robosignal.gateway.listener import HEAD_BYTES, Protocols, RequestHead
from tests.gateway.raw import request

WEBSOCKET = request()
PLAIN = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Kept(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the bytes."""
        self.written += bytes(data)

    def close(self) -> None:
        """Keep that it was closed."""
        self.closed = True


def handed_over(*reads: bytes) -> tuple[list[bytes], list[bytes], Kept]:
    """Return what the WebSocket's door and HTTP's door got, and the transport."""
    websocket: list[bytes] = []
    http: list[bytes] = []
    protocols = Protocols(
        lambda _, data: websocket.append(data), lambda _, data: http.append(data), 5
    )
    head, transport = RequestHead(protocols), Kept()
    head.connection_made(transport)
    for data in reads:
        head.get_buffer(-1)[: len(data)] = data
        head.buffer_updated(len(data))
    head.connection_lost(None)
    return websocket, http, transport


async def test_an_upgrade_goes_to_the_websocket_with_all_that_was_read() -> None:
    """Bytes behind the head are not lost."""
    websocket, http, _ = handed_over(WEBSOCKET + b"more")

    assert (websocket, http) == ([WEBSOCKET + b"more"], [])


@pytest.mark.parametrize("head", [WEBSOCKET, PLAIN])
async def test_where_reads_are_cut_makes_no_difference(head: bytes) -> None:
    """Byte by byte it is the same head, handed over once, at its last byte."""
    websocket, http, _ = handed_over(*(head[index : index + 1] for index in range(len(head))))

    assert websocket + http == [head]


@pytest.mark.parametrize(
    "head",
    [
        PLAIN,
        WEBSOCKET.replace(b"GET", b"POST"),
        WEBSOCKET.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        PLAIN + b"Upgrade: websocket\r\n\r\n",
        PLAIN.replace(b"/", b"/?upgrade:websocket", 1),
    ],
)
async def test_all_else_goes_to_http(head: bytes) -> None:
    """Also an upgrade to something else, and the words of one where they mean nothing."""
    websocket, http, _ = handed_over(head)

    assert (websocket, http) == ([], [head])


async def test_the_word_is_found_in_any_case() -> None:
    """Header names and the protocol's name are compared without regard to case."""
    head = WEBSOCKET.replace(b"Upgrade: websocket", b"UPGRADE:WebSocket")

    assert handed_over(head)[0] == [head]


async def test_a_head_that_fills_the_buffer_is_refused() -> None:
    """It was going to be too long for either door."""
    websocket, http, transport = handed_over(b"x" * HEAD_BYTES)

    assert (websocket, http, transport.closed) == ([], [], True)
    assert transport.written.startswith(b"HTTP/1.1 431 ")
