"""What can go wrong between here and a deployment: one class for each thing that was seen.

    Trouble
    ├── Unresolved     the host's name has no address
    ├── Unreachable    no TCP connection
    ├── Untrusted      no TLS: the certificate was refused
    ├── Rejected       the handshake was answered with an HTTP status
    ├── NoDialect      the handshake selected no subprotocol
    ├── Silence        nothing came in time
    ├── Ended          the server closed the connection
    ├── Refusal        an error frame of the protocol
    └── Fault          API Gateway's own error frame

Each holds what was seen, and never an exception's own text: that may quote a URL with a token.
"""


class Trouble(Exception):
    """A step of the probe did not come to its end."""


class Unresolved(Trouble):
    """The name has no address that this machine can find."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host

    def __str__(self) -> str:
        return f"the name {self.host} does not resolve"


class Unreachable(Trouble):
    """No TCP connection came about, or it broke before the handshake ended."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"no connection: {self.why}"


class Untrusted(Trouble):
    """The server's certificate is not good for this name."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"no TLS: {self.why}"


class Rejected(Trouble):
    """The handshake was answered with a status that is not 101."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"the handshake is answered with HTTP status {self.status}"


class NoDialect(Trouble):
    """The handshake did not select the subprotocol that was offered."""

    def __str__(self) -> str:
        return "the handshake selects no subprotocol, so a browser would drop the connection"


class Silence(Trouble):
    """Nothing that was waited for came in time."""

    def __init__(self, awaited: str, seconds: float) -> None:
        super().__init__(awaited, seconds)
        self.awaited = awaited
        self.seconds = seconds

    def __str__(self) -> str:
        return f"no {self.awaited} within {self.seconds:g} s"


class Ended(Trouble):
    """The connection closed while an answer was due."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"the connection closed with code {self.code}"


class Refusal(Trouble):
    """The backend refused a message."""

    def __init__(self, code: str, message: str, request_id: str | None) -> None:
        super().__init__(code, message, request_id)
        self.code = code
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Fault(Trouble):
    """API Gateway answered instead of the backend."""

    def __init__(self, message: str, request_id: str) -> None:
        super().__init__(message, request_id)
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return f"API Gateway answers {self.message!r}"
