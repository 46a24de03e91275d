"""The real backend inside a test: `LocalBackend`, and a client to talk to it with.

Needs the extra `gateway`: `pip install 'robosignal[gateway]'`. How to use it is in
docs/howto/test-your-own-code.md.
"""

try:
    from robosignal.testing.backend import LocalBackend
except ModuleNotFoundError as missing:
    from robosignal.extras import explain

    raise explain("robosignal.testing", "gateway", missing) from missing
from robosignal.probe.errors import (
    Closed,
    HandshakeRejected,
    ProbeError,
    RequestRefused,
    TimedOut,
)
from robosignal.testing.client import Client, Frame, PeerClosed

__all__ = [
    "Client",
    "Closed",
    "Frame",
    "HandshakeRejected",
    "LocalBackend",
    "PeerClosed",
    "ProbeError",
    "RequestRefused",
    "TimedOut",
]
