"""Assembles messages from frames, with limits that the library lacks, and reads a close."""

from collections.abc import Callable
from dataclasses import dataclass

from websockets.frames import CloseCode, Frame, Opcode
from websockets.server import ServerProtocol

FRAGMENTS = 1024
"""Of one message. Its size alone does not limit them, because a fragment may be empty."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the connection must fail: a close code and a reason (RFC 6455, section 7.4)."""

    code: CloseCode
    reason: str


BINARY = Fault(CloseCode.UNSUPPORTED_DATA, "binary frames are not supported")
FRAGMENTED = Fault(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
TOO_MANY_PINGS = Fault(CloseCode.POLICY_VIOLATION, "too many pings and pongs")
NOT_UTF8 = Fault(CloseCode.INVALID_DATA, "not UTF-8")


class MessageAssembler:
    """Assembles one connection's messages from frames."""

    def __init__(self, may_ping: Callable[[], bool]) -> None:
        """`may_ping` counts a control frame, and returns whether it is within the limits."""
        self._may_ping = may_ping
        self._parts: list[bytes] = []

    def add(self, frame: Frame) -> str | Fault | None:
        """Add a frame; return the message that it completes, a fault, or None."""
        opcode = frame.opcode
        if opcode is Opcode.TEXT and frame.fin:
            return _text(frame.data)
        if opcode is Opcode.TEXT or opcode is Opcode.CONT:
            return self._fragment(frame)
        if opcode is Opcode.BINARY:
            return BINARY
        return None if self._may_ping() else TOO_MANY_PINGS

    def _fragment(self, frame: Frame) -> str | Fault | None:
        self._parts.append(bytes(frame.data))
        if frame.fin:
            whole, self._parts = b"".join(self._parts), []
            return _text(whole)
        return FRAGMENTED if len(self._parts) == FRAGMENTS else None


def read_close(wire: ServerProtocol) -> tuple[int, str]:
    """Return the code and reason of the side that closed first; 1006 if neither did."""
    received, sent = wire.close_rcvd, wire.close_sent
    if received is not None and wire.close_rcvd_then_sent:
        if received.code == CloseCode.NO_STATUS_RCVD:
            # API Gateway's words in real events.
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
