"""The probe against what is no deployment: names, ports, certificates, other servers."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import serve

from robosignal.testing import LocalBackend
from tests.probe.probing import SHORT, probed
from tests.tokens import signer


async def test_a_connection_that_ends_is_told_with_its_code() -> None:
    """Not as silence: the probe does not wait for what cannot come."""

    async def leave(connection: Any) -> None:
        await connection.recv()
        await connection.close(1001)

    async with serve(leave, "127.0.0.1", 0, subprotocols=["robosignal.v1"]) as server:  # type: ignore[list-item]
        port = next(iter(server.sockets)).getsockname()[1]
        report = await probed(f"ws://127.0.0.1:{port}/prod")

    assert report.failure is not None
    assert report.failure.seen == "the connection closed with code 1001"
    assert "who closed it" in report.failure.check[0]


async def test_a_name_that_does_not_resolve_fails_first() -> None:
    """RFC 6761: `.invalid` never resolves."""
    report = await probed("ws://no-such-api.invalid/prod")

    assert report.failure is not None
    assert report.failure.step == "resolve"
    assert report.failure.seen == "the name no-such-api.invalid does not resolve"
    assert "WebSocketUrl" in report.failure.check[0]


async def test_a_port_without_a_server_is_told() -> None:
    """At once, not after the timeout."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        report = await probed(f"ws://127.0.0.1:{reserved.getsockname()[1]}/prod")

    assert report.failure is not None
    assert report.failure.seen == "no connection: nothing listens there"


async def test_a_server_that_says_nothing_is_not_waited_for_forever() -> None:
    """It takes the connection and leaves the handshake unanswered."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"ws://127.0.0.1:{mute.getsockname()[1]}/prod"
        report = await probed(url, seconds=SHORT)

    assert report.failure is not None
    assert report.failure.seen == f"no answer to the handshake within {SHORT:g} s"


async def test_what_is_no_websocket_server_is_told() -> None:
    """Another protocol answers on that port."""

    async def ftp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 ready\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(ftp, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        report = await probed(f"ws://127.0.0.1:{port}/prod")

    assert report.failure is not None
    assert report.failure.seen == "no connection: the server there is no WebSocket server"


async def test_names_below_localhost_are_this_machine(backend: LocalBackend) -> None:
    """RFC 6761, section 6.3; emulators of AWS use such names."""
    url = f"ws://abc123.execute-api.localhost:{backend.port}/prod"
    report = await probed(url, backend.token("ann"))

    assert report.failure is None


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate that no one has reason to trust."""
    key = signer().private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_certificate_that_is_not_trusted_is_told(self_signed: ssl.SSLContext) -> None:
    """The probe never goes on without TLS that holds."""

    async def idle(connection: Any) -> None:
        await connection.wait_closed()

    async with serve(idle, "127.0.0.1", 0, ssl=self_signed) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        report = await probed(f"wss://127.0.0.1:{port}/prod")

    assert report.failure is not None
    assert report.failure.seen.startswith("no TLS: self-signed certificate")
    assert "certificate is for" in report.failure.check[0]
