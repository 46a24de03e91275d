"""Fetching a document from servers of every temper, over real sockets on this machine."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from robosignal.server.identity.jwks_fetch import check_jwks_url, fetch_document
from robosignal.server.ports import KeysUnavailable
from tests.tokens import signer

SECONDS_TO_REFUSE = 3.5
FULL = 64 * 1024
Temper = Callable[["Server", socket.socket], None]


@dataclass
class Server:
    """A server of some temper: it deals with one connection after another."""

    temper: Temper
    listener: socket.socket
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    left: Event = field(default_factory=Event)
    """Set when a client has gone before it was answered."""
    stopping: bool = False

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self.listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The address of its document."""
        return f"http://127.0.0.1:{self.port}/keys?v=1"

    def serve(self) -> None:
        """Take connections until `stop`."""
        while True:
            link, _ = self.listener.accept()
            with link, suppress(OSError):
                if self.stopping:
                    return
                self.connections += 1
                self.temper(self, link)

    def stop(self) -> None:
        """End `serve`: one more connection wakes it up."""
        self.stopping = True
        socket.create_connection(("127.0.0.1", self.port)).close()


@contextmanager
def serving(temper: Temper) -> Iterator[Server]:
    """Run a server of this temper."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(temper, listener)
        thread = Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(5)


def answering(status: str, body: bytes, *headers: str) -> Temper:
    """Return the temper that answers so."""

    def temper(server: Server, link: socket.socket) -> None:
        server.requests.append(link.recv(4096))
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        link.sendall("\r\n".join(lines).encode() + body)

    return temper


def silent(server: Server, link: socket.socket) -> None:
    """Take the request and say nothing, until the client goes."""
    link.settimeout(10)
    while link.recv(4096):
        pass
    server.left.set()


def dripping(head: bytes) -> Temper:
    """Return the temper that begins so and goes on by one byte every tenth of a second."""

    def temper(server: Server, link: socket.socket) -> None:
        link.recv(4096)
        link.sendall(head)
        try:
            for _ in range(100):
                link.sendall(b"x")
                if server.left.wait(0.1):
                    return
        except OSError:
            server.left.set()

    return temper


def once_broken(server: Server, link: socket.socket) -> None:
    """Drop the first connection, answer the second one."""
    if server.connections > 1:
        answering("200 OK", b"keys")(server, link)


def seconds_to_refuse(url: str, budget_s: float = 3.0) -> float:
    """Return how long it took to refuse the document."""
    began = time.monotonic()
    with pytest.raises(KeysUnavailable):
        fetch_document(url, budget_s)
    return time.monotonic() - began


@pytest.mark.parametrize(
    "body", [b'{"keys": []}', b"", b"x" * FULL], ids=["json", "empty", "64 KiB"]
)
def test_a_document_is_fetched_whole(body: bytes) -> None:
    """A status of 200 brings the body, up to 64 KiB of it."""
    with serving(answering("200 OK", body)) as server:
        assert fetch_document(server.url) == body


def test_the_request_names_path_query_and_host() -> None:
    """The server is asked for what the address says, in one plain GET."""
    with serving(answering("200 OK", b"keys")) as server:
        fetch_document(server.url)

        request, host = server.requests[0].decode().split("\r\n")[:2]
        assert (request, host) == ("GET /keys?v=1 HTTP/1.1", f"Host: 127.0.0.1:{server.port}")


@pytest.mark.parametrize(
    "temper",
    [
        answering("404 Not Found", b"no"),
        answering("500 Internal Server Error", b"no"),
        answering("204 No Content", b""),
        answering("200 OK", b"x" * (FULL + 1)),
    ],
    ids=["404", "500", "204", "huge"],
)
def test_an_unfit_answer_is_final(temper: Temper) -> None:
    """A server that has answered is not asked a second time."""
    with serving(temper) as server:
        took = seconds_to_refuse(server.url)

        assert (took < SECONDS_TO_REFUSE, server.connections) == (True, 1)


def test_a_redirect_is_not_followed() -> None:
    """A redirect, even to a good document, is refused: the keys' address is configured."""
    with serving(answering("200 OK", b"keys")) as goal:
        redirect = answering("302 Found", b"", f"Location: {goal.url}")
        with serving(redirect) as server:
            seconds_to_refuse(server.url)

        assert goal.connections == 0


def test_a_broken_connection_is_tried_once_more() -> None:
    """One connection that fails costs nothing but the retry."""
    with serving(once_broken) as server:
        assert (fetch_document(server.url), server.connections) == (b"keys", 2)


def test_what_is_no_http_is_refused_after_the_retry() -> None:
    """Another protocol's greeting is a failed connection, tried twice."""
    with serving(lambda _, link: link.sendall(b"SSH-2.0-server\r\n\r\n")) as server:
        took = seconds_to_refuse(server.url)

        assert (took < SECONDS_TO_REFUSE, server.connections) == (True, 2)


def test_a_dead_server_is_refused_in_time() -> None:
    """No server listens at the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert seconds_to_refuse(f"http://127.0.0.1:{port}/keys") < SECONDS_TO_REFUSE


def test_a_silent_server_is_refused_in_time() -> None:
    """Two attempts of a second and a half each, and that is the end."""
    with serving(silent) as server:
        took = seconds_to_refuse(server.url)

        assert (took < SECONDS_TO_REFUSE, server.connections) == (True, 2)


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"],
    ids=["status line", "header", "body"],
)
def test_a_dripping_server_is_left_when_time_is_up(head: bytes) -> None:
    """A byte now and then keeps the idle limit away, but not the limit of the whole."""
    with serving(dripping(head)) as server:
        took = seconds_to_refuse(server.url, budget_s=0.4)

        assert (took < 2, server.left.wait(5)) == (True, True)


def test_a_silent_tls_handshake_is_left_when_time_is_up() -> None:
    """The limit of the whole holds before the connection is even secure."""
    with serving(silent) as server:
        took = seconds_to_refuse(f"https://127.0.0.1:{server.port}/keys", budget_s=0.4)

        assert (took < 2, server.left.wait(5)) == (True, True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and the certificate that it signed itself, for 127.0.0.1."""
    key = signer("tls").private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "robosignal tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    return path


def over_tls(certificate: Path, temper: Temper) -> Temper:
    """Return the temper, spoken over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def secured(server: Server, link: socket.socket) -> None:
        with context.wrap_socket(link, server_side=True) as secure:
            temper(server, secure)

    return secured


def test_a_document_is_fetched_over_https(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a certificate that the machine trusts, HTTPS brings the body."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(over_tls(certificate, answering("200 OK", b"keys"))) as server:
        assert fetch_document(f"https://127.0.0.1:{server.port}/keys") == b"keys"


def test_an_untrusted_certificate_is_refused(certificate: Path) -> None:
    """HTTPS without trust is refused before anything is asked."""
    with serving(over_tls(certificate, answering("200 OK", b"keys"))) as server:
        seconds_to_refuse(f"https://127.0.0.1:{server.port}/keys")

        assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example/keys",
        "https://issuer.example:8443/keys?version=2",
        "http://127.0.0.1:8080/.well-known/jwks.json",
        "http://127.8.8.8/keys",
        "http://localhost:8080/keys",
        "http://[::1]:8080/keys",
    ],
)
def test_https_and_loopback_are_accepted(url: str) -> None:
    """HTTPS to anywhere, HTTP to this machine."""
    assert check_jwks_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/keys",
        "http://127.0.0.1.issuer.example/keys",
        "http://localhost.issuer.example/keys",
        "http://0.0.0.0/keys",
        "http://192.168.0.2/keys",
        "https://user:secret@issuer.example/keys",
        "https://user@issuer.example/keys",
        "https:///keys",
        "https://issuer.example:99999/keys",
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "issuer.example/keys",
        "",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """Keys that anybody on the way could replace are not fetched at all."""
    with pytest.raises(ValueError, match=r"JWKS address|Port"):
        check_jwks_url(url)
