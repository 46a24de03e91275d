"""The gateway's certificate: for which names it is, when another is made, and TLS on the wire."""

import asyncio
import gc
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from robosignal.gateway.gateway import Gateway
from robosignal.gateway.limits import Limits
from robosignal.gateway.names import find_hosts
from robosignal.gateway.tls import RENEWED_BEFORE_END, VALID, Tls, TlsFiles, TlsRefused, utc_now
from tests.gateway import certificates
from tests.gateway.conftest import Serve
from tests.gateway.raw import Raw, request
from tests.gateway.recorder import Recorder

HOSTS = ("192.168.1.5", "rover-base.local", "localhost", "127.0.0.1")
NAME = x509.DNSName("drive.example.com")


def make(directory: Path, *hosts: str, now: datetime | None = None) -> Tls:
    """Return the self-signed certificate of a machine with these hosts, at this time."""
    return Tls.make(directory, lambda: hosts or HOSTS, lambda: now or utc_now())


def load(files: TlsFiles, *hosts: str) -> Tls:
    """Return a certificate that was brought to a machine with these hosts."""
    return Tls.load(files, lambda: hosts)


def test_a_self_signed_certificate_is_for_every_host_and_its_key_for_its_owner(
    tmp_path: Path,
) -> None:
    """Not for a day longer than browsers allow, and no authority's."""
    tls = make(tmp_path)

    found = x509.load_pem_x509_certificate(tls.files.certificate.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["rover-base.local", "localhost"]
    addresses = [ip_address("192.168.1.5"), ip_address("127.0.0.1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert found.not_valid_after_utc - utc_now() <= VALID
    assert stat.S_IMODE(tls.files.key.stat().st_mode) == 0o600
    assert tls.hosts == HOSTS


def test_a_self_signed_certificate_is_kept_while_it_serves(tmp_path: Path) -> None:
    """People who trust it are not asked again because an address is gone."""
    first = make(tmp_path)

    assert make(tmp_path).pem == first.pem
    assert make(tmp_path, *HOSTS[1:]).pem == first.pem


@pytest.mark.parametrize("hosts", [("192.168.1.6", *HOSTS[1:]), (*HOSTS, "other.local")])
def test_another_address_or_name_makes_another_certificate(
    tmp_path: Path, hosts: tuple[str, ...]
) -> None:
    """Of exactly those that the machine has now."""
    first = make(tmp_path)

    second = make(tmp_path, *hosts)

    assert second.pem != first.pem
    assert set(second.names) == set(hosts)


def test_a_certificate_that_nears_its_end_is_replaced(tmp_path: Path) -> None:
    """Thirty days before, and not a day sooner."""
    first = make(tmp_path)
    due = utc_now() + VALID - RENEWED_BEFORE_END

    assert make(tmp_path, now=due - timedelta(days=1)).pem == first.pem
    assert make(tmp_path, now=due + timedelta(minutes=1)).pem != first.pem


def test_a_certificate_is_replaced_while_the_gateway_runs(tmp_path: Path) -> None:
    """`refresh` says whether new connections get another one."""
    now = [utc_now()]
    tls = Tls.make(tmp_path, lambda: HOSTS, lambda: now[0])
    first = tls.fingerprint

    assert tls.refresh() is False
    now[0] += VALID
    assert tls.refresh() is True
    assert tls.fingerprint != first


@pytest.mark.parametrize("spoil", ["readable", "cut", "other"])
def test_a_key_that_others_may_know_or_that_does_not_fit_is_replaced(
    tmp_path: Path, spoil: str
) -> None:
    """A crash between the two files leaves such a pair."""
    first = make(tmp_path)
    if spoil == "readable":
        first.files.key.chmod(0o640)
    elif spoil == "cut":
        first.files.key.write_bytes(first.files.key.read_bytes()[:50])
    else:
        (tmp_path / "other").mkdir()
        first.files.key.write_bytes(make(tmp_path / "other").files.key.read_bytes())

    second = make(tmp_path)

    assert second.pem != first.pem
    assert stat.S_IMODE(second.files.key.stat().st_mode) == 0o600


def test_a_given_certificate_says_under_which_name_clients_connect(tmp_path: Path) -> None:
    """A host of this machine if it is for one, else its own name; a star is no name."""
    star = x509.DNSName("*.example.com")
    files = certificates.write(tmp_path, star, NAME, x509.IPAddress(ip_address("10.0.0.7")))

    assert load(files, "192.168.1.5", "10.0.0.7").hosts[0] == "10.0.0.7"
    assert load(files, "192.168.1.5", "base.example.com").hosts[0] == "base.example.com"
    assert load(files, "192.168.1.5", "a.base.example.com").hosts[0] == "drive.example.com"


def test_a_given_certificate_is_read_again_once_its_file_has_changed(tmp_path: Path) -> None:
    """As when certbot has renewed it; one that does not serve leaves the one in use."""
    tls = load(certificates.write(tmp_path, NAME))
    first = tls.fingerprint
    certificates.write(tmp_path, NAME, lasts=timedelta(days=1))
    with pytest.raises(TlsRefused, match="has expired"):
        tls.refresh()
    assert tls.fingerprint == first

    certificates.write(tmp_path, NAME)

    assert tls.refresh() is True
    assert tls.fingerprint != first


def test_a_wildcard_is_every_address_of_its_family() -> None:
    """And no address that only this machine reaches comes first, if there is another."""
    found = find_hosts("0.0.0.0")  # noqa: S104 - what is asked about

    assert found[-2:] == ("localhost", "127.0.0.1")
    assert not any(":" in host for host in found)
    assert find_hosts("::")[-1] == "::1"
    assert find_hosts("0:0:0:0:0:0:0:1")[0] == "::1"


@asynccontextmanager
async def dial(gateway: Gateway, context: ssl.SSLContext) -> AsyncIterator[Raw]:
    """Connect by TLS, as a client that checks the certificate for `localhost`."""
    reader, writer = await asyncio.open_connection(
        gateway.host, gateway.port, ssl=context, server_hostname="localhost"
    )
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


async def test_pages_and_websockets_are_served_by_tls(serve: Serve, tmp_path: Path) -> None:
    """On one port, to those who trust the certificate."""
    tls = make(tmp_path)
    gateway = await serve(Recorder(), tls=tls)

    assert gateway.url == f"https://192.168.1.5:{gateway.port}/"
    assert gateway.websocket_url == f"wss://192.168.1.5:{gateway.port}/prod"
    assert gateway.local_websocket_url == f"wss://localhost:{gateway.port}/prod"
    async with dial(gateway, tls.client_context()) as raw:
        await raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await raw.ended()).endswith(b'{"status": "ok"}')
    async with dial(gateway, tls.client_context()) as raw:
        await raw.send(request())
        assert await raw.status() == 101
    with pytest.raises(ssl.SSLCertVerificationError):
        async with dial(gateway, ssl.create_default_context()):
            pass


async def test_a_client_that_closes_is_told_the_end_by_tls(serve: Serve, tmp_path: Path) -> None:
    """After the closing handshake: it need not wait until it is dropped, which here is never."""
    tls = make(tmp_path)
    gateway = await serve(Recorder(), tls=tls, limits=replace(Limits(), closing_seconds=3600))

    async with dial(gateway, tls.client_context()) as raw:
        await raw.send(request())
        assert await raw.status() == 101
        await raw.send(b"\x88\x82\0\0\0\0\x03\xe8")
        assert await raw.close_code() == 1000
        assert await raw.ended() == b""


async def test_a_gateway_stops_though_a_client_has_not_begun_tls(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither it nor one that speaks no TLS leaves anything in the log."""
    limits = replace(Limits(), handshake_seconds=3600)
    gateway = await serve(Recorder(), tls=make(tmp_path), limits=limits)
    silent, writer = await asyncio.open_connection(gateway.host, gateway.port)
    plain, other = await asyncio.open_connection(gateway.host, gateway.port)
    other.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await plain.read()

    await gateway.stop()

    assert await silent.read() == b""
    # asyncio logs an error that nothing has asked for when its task is collected.
    gc.collect()
    assert caplog.records == []
    writer.close()
    other.close()


async def test_a_robot_may_sign_every_name_of_the_certificate(serve: Serve, tmp_path: Path) -> None:
    """Its assertion is for the address that it connects to."""
    gateway = await serve(Recorder(), tls=make(tmp_path))

    port = gateway.port
    assert gateway.websocket_urls == {f"wss://{host}:{port}/prod" for host in HOSTS}


async def test_the_schemes_own_port_may_be_left_out(serve: Serve, tmp_path: Path) -> None:
    """As programs write addresses."""
    gateway = await serve(Recorder(), tls=make(tmp_path))
    gateway.port = 443

    assert "wss://192.168.1.5/prod" in gateway.websocket_urls
    assert "wss://192.168.1.5:443/prod" in gateway.websocket_urls
