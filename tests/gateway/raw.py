"""A WebSocket client that may misbehave, over bare asyncio streams.

It writes frames as bytes (RFC 6455, section 5.2), valid or not.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from robosignal.gateway.gateway import Gateway

TEXT, CONT, BINARY, CLOSE, PING, PONG = 1, 0, 2, 8, 9, 10

UPGRADE = {
    "Host": "127.0.0.1",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}

MASK = b"\x01\x02\x03\x04"


def request(path: str = "/prod", headers: dict[str, str] | None = None) -> bytes:
    """Return a handshake's head."""
    lines = [f"GET {path} HTTP/1.1"]
    lines += [
        f"{name}: {value}" for name, value in (UPGRADE if headers is None else headers).items()
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0
) -> bytes:
    """Return one frame, well-formed or not."""
    first = bytes([(fin << 7) | (rsv << 4) | opcode])
    mask_bit = masked << 7
    size = len(payload)
    if size < 126:
        length = bytes([mask_bit | size])
    elif size < 65536:
        length = bytes([mask_bit | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([mask_bit | 127]) + size.to_bytes(8, "big")
    if not masked:
        return first + length + payload
    hidden = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))
    return first + length + MASK + hidden


class Raw:
    """One TCP connection to a gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> str:
        """Return a response's status line and headers."""
        async with asyncio.timeout(5):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def status(self) -> int:
        """Return a response's status."""
        return int((await self.head()).split(" ", 2)[1])

    async def receive(self) -> tuple[int, bytes]:
        """Return the next frame's opcode and payload."""
        async with asyncio.timeout(5):
            first, second = await self.reader.readexactly(2)
            size = second & 127
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self.reader.readexactly(8), "big")
            return first & 15, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        """Return the code of the close frame that comes, whatever comes before it."""
        opcode, payload = await self.receive()
        while opcode != CLOSE:
            opcode, payload = await self.receive()
        return int.from_bytes(payload[:2], "big")

    async def ended(self) -> bytes:
        """Return all that comes until the server closes."""
        async with asyncio.timeout(5):
            return await self.reader.read()


@asynccontextmanager
async def dial(gateway: Gateway) -> AsyncIterator[Raw]:
    """Connect by TCP alone."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    try:
        yield Raw(reader, writer)
    finally:
        # Dropped, not closed: a test that wants a closing handshake does it itself.
        writer.transport.abort()


@asynccontextmanager
async def upgraded(gateway: Gateway) -> AsyncIterator[Raw]:
    """Connect and complete the WebSocket handshake."""
    async with dial(gateway) as raw:
        await raw.send(request())
        assert await raw.status() == 101
        yield raw
