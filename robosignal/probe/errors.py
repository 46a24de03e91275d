"""What a client can meet on its way through a deployment: one exception for each observation.

    ProbeError
    ├── HostNotFound       the host's name has no address
    ├── Unreachable        no TCP connection
    ├── TlsFailed          the certificate was refused, or the server speaks no TLS
    ├── HandshakeRejected  the handshake was answered with an HTTP status
    ├── NoSubprotocol      the handshake selected no subprotocol
    ├── TimedOut           nothing came in time
    ├── Closed             the server closed the connection
    ├── RequestRefused     an error frame of the protocol
    └── GatewayFault       API Gateway's own error frame

Each keeps what was observed, and never another exception's text, which may quote a URL with a
token in it.
"""


class ProbeError(Exception):
    """A step failed. The text says what was observed."""


class HostNotFound(ProbeError):
    """This machine finds no address for the name `host`."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host

    def __str__(self) -> str:
        return f"the name {self.host} does not resolve"


class Unreachable(ProbeError):
    """No TCP connection could be opened, or it broke before its handshake ended, for `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"no connection: {self.reason}"


class TlsFailed(ProbeError):
    """The certificate is not the server's, or it speaks no TLS: `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"no TLS: {self.reason}"


class HandshakeRejected(ProbeError):
    """The server answered the handshake with an HTTP `status` other than 101 (RFC 6455, 4.2.2)."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"the server answered the handshake with HTTP status {self.status}"


class NoSubprotocol(ProbeError):
    """The server did not select the subprotocol that was offered."""

    def __str__(self) -> str:
        return "the server selected no subprotocol, so a browser would drop the connection"


class TimedOut(ProbeError):
    """What was `awaited`, such as `welcome`, did not come within `timeout_s` seconds."""

    def __init__(self, awaited: str, timeout_s: float) -> None:
        super().__init__(awaited, timeout_s)
        self.awaited = awaited
        self.timeout_s = timeout_s

    def __str__(self) -> str:
        return f"no {self.awaited} within {self.timeout_s:g} s"


class Closed(ProbeError):
    """The connection closed. `code` is the close code (RFC 6455, section 7.4)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"the connection closed with code {self.code}"


class RequestRefused(ProbeError):
    """The backend answered a message with an error frame.

    `code` is one of the protocol's error codes, `message` its sentence, and `request_id` what the
    function's log has the error under, if the frame names one.
    """

    def __init__(self, code: str, message: str, request_id: str | None) -> None:
        super().__init__(code, message, request_id)
        self.code = code
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class GatewayFault(ProbeError):
    """API Gateway answered instead of the backend, with this `message` and `request_id`."""

    def __init__(self, message: str, request_id: str) -> None:
        super().__init__(message, request_id)
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return f"API Gateway answered {self.message!r}"
