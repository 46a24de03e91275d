"""What arrives in frames and becomes messages, and how a connection has ended.

Owns the limits that the WebSocket library does not have; must never write, wait or call.
"""

from collections.abc import Callable
from dataclasses import dataclass

from websockets.frames import CloseCode, Frame, Opcode
from websockets.server import ServerProtocol

FRAGMENTS = 1024
"""Empty fragments weigh nothing, so a message's size alone does not bound them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the connection must fail: a close code and a reason (RFC 6455, section 7.4)."""

    code: CloseCode
    reason: str


BINARY = Fault(CloseCode.UNSUPPORTED_DATA, "binary frames are not supported")
FRAGMENTED = Fault(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
PESTERING = Fault(CloseCode.POLICY_VIOLATION, "too many pings and pongs")
NOT_UTF8 = Fault(CloseCode.INVALID_DATA, "not UTF-8")


class Messages:
    """Puts one connection's messages together."""

    def __init__(self, may_ping: Callable[[], bool]) -> None:
        """`may_ping` counts one control frame, and tells whether it is within the limits."""
        self._may_ping = may_ping
        self._parts: list[bytes] = []

    def take(self, frame: Frame) -> str | Fault | None:
        """Return the message that this frame completes, a fault, or None."""
        opcode = frame.opcode
        if opcode is Opcode.TEXT and frame.fin:
            return _text(frame.data)
        if opcode is Opcode.TEXT or opcode is Opcode.CONT:
            return self._fragment(frame)
        if opcode is Opcode.BINARY:
            return BINARY
        return None if self._may_ping() else PESTERING

    def _fragment(self, frame: Frame) -> str | Fault | None:
        self._parts.append(bytes(frame.data))
        if frame.fin:
            whole, self._parts = b"".join(self._parts), []
            return _text(whole)
        return FRAGMENTED if len(self._parts) == FRAGMENTS else None


def ending(wire: ServerProtocol) -> tuple[int, str]:
    """Return the code and reason of whoever closed first; 1006 when nobody did."""
    received, sent = wire.close_rcvd, wire.close_sent
    if received is not None and wire.close_rcvd_then_sent:
        if received.code == CloseCode.NO_STATUS_RCVD:
            # API Gateway's words, as real events bear them.
            return int(CloseCode.NO_STATUS_RCVD), "Client-side close frame status not set"
        return int(received.code), received.reason
    if sent is not None:
        return int(sent.code), sent.reason
    return int(CloseCode.ABNORMAL_CLOSURE), ""


def _text(data: bytes | bytearray | memoryview) -> str | Fault:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        return NOT_UTF8
