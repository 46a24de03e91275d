"""Runs a real TURN server on loopback. It knows the shared secrets, and nothing of what is tested.

Found on PATH, or where Debian puts it.
"""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

MISSING = "no coturn found. Install it: sudo apt-get install coturn"
STARTING_SECONDS = 10

RELAY_PORTS = (61000, 61099)
"""Above those that Linux hands out by itself, so that no other program has one by chance."""


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key, in PEM."""

    file: Path
    key_file: Path


def require_coturn() -> str:
    """Return coturn's program; without one skip the test, or fail it when CI=true."""
    found = shutil.which("turnserver") or shutil.which("/usr/bin/turnserver")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    return found


@asynccontextmanager
async def coturn(
    secrets: Sequence[str], directory: Path, *, address: str = "127.0.0.1", more: Sequence[str] = ()
) -> AsyncIterator[int]:
    """Run coturn with these shared secrets, files in this directory; yield its UDP port.

    It listens and relays on `address`, and takes `more` options.
    """
    port = _free_port()
    command = write_command(secrets, directory, address=address, port=port)
    async with _run([*command, *more], "UDP listener opened"):
        yield port


def write_command(secrets: Sequence[str], directory: Path, *, address: str, port: int) -> list[str]:
    """Return the command line of a coturn like `coturn`'s, for a process of the caller's.

    It has opened its socket once it prints `UDP listener opened`.
    """
    only_udp = [f"--listening-port={port}", "--no-tcp", "--no-tls"]
    return [require_coturn(), *_options(address, directory), *_secrets(secrets), *only_udp]


@asynccontextmanager
async def coturn_over_tls(
    secrets: Sequence[str], directory: Path, certificate: Certificate
) -> AsyncIterator[int]:
    """Run coturn as `coturn` does, but have it listen for TLS alone; yield its TCP port."""
    address = "127.0.0.1"
    port = _free_port(socket.SOCK_STREAM)
    only_tls = [
        f"--tls-listening-port={port}",
        f"--cert={certificate.file}",
        f"--pkey={certificate.key_file}",
        "--no-udp",
        "--no-tcp",
    ]
    command = [require_coturn(), *_options(address, directory), *_secrets(secrets), *only_tls]
    async with _run(command, "TLS listener opened"):
        yield port


def self_signed(directory: Path) -> Certificate:
    """Write a certificate for 127.0.0.1 that no authority has signed, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    found = Certificate(directory / "certificate.pem", directory / "key.pem")
    found.file.write_bytes(certificate.public_bytes(Encoding.PEM))
    found.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return found


@asynccontextmanager
async def _run(command: Sequence[str], listens: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await _until_listening(process, listens.encode())
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)  # it takes seconds to end in an orderly way
        await process.communicate()


def _secrets(secrets: Sequence[str]) -> list[str]:
    return [f"--static-auth-secret={secret}" for secret in secrets]


def _options(address: str, directory: Path) -> list[str]:
    lowest, highest = RELAY_PORTS
    return [
        "-n",  # no configuration file: the machine's own is another server's
        "--verbose",  # it says when it listens
        "--log-file=stdout",
        f"--pidfile={directory / 'pid'}",
        f"--userdb={directory / 'users'}",
        f"--listening-ip={address}",
        f"--relay-ip={address}",
        f"--min-port={lowest}",
        f"--max-port={highest}",
        # With more, a client whose first words come early may be sent on to one that never met it.
        "--relay-threads=1",
        "--realm=robosignal.test",
        "--use-auth-secret",
        "--allow-loopback-peers",
        "--no-dtls",
        "--no-cli",
    ]


def _free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


async def _until_listening(process: asyncio.subprocess.Process, listens: bytes) -> None:
    """Read its log until it listens. Raise RuntimeError with the log if it ends before."""
    assert process.stdout is not None
    log = b""
    async with asyncio.timeout(STARTING_SECONDS):
        async for line in process.stdout:
            log += line
            if listens in line:
                return
    raise RuntimeError(log.decode(errors="replace"))
