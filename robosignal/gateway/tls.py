"""The gateway's certificate and its key: given by files, or made by the gateway itself."""

import os
import socket
import ssl
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

CERTIFICATE_FILE = "tls-certificate.pem"
KEY_FILE = "tls-key.pem"

VALID: Final = timedelta(days=397)
"""How long a self-signed certificate is valid: Apple's systems refuse one of more than 825 days."""

RENEWED_BEFORE_END: Final = timedelta(days=30)
CLOCKS_DIFFER: Final = timedelta(hours=1)
"""How far the clock of a phone may be behind."""

OTHERS = stat.S_IRWXG | stat.S_IRWXO
_COMMON_NAME_CHARACTERS = 64

Hosts = Callable[[], Sequence[str]]
"""Returns what clients may call this machine, the best first."""

Clock = Callable[[], datetime]


class TlsRefused(Exception):
    """A certificate or its key cannot be used. The text names the option, the file and why."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of a certificate (the server's first, then its chain) and of its key, in PEM."""

    certificate: Path
    key: Path


def utc_now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


class Tls:
    """A certificate in use, and what takes part in TLS with it. `load` and `make` return one."""

    def __init__(
        self, files: TlsFiles, hosts: Hosts, *, is_self_signed: bool, clock: Clock
    ) -> None:
        self.files = files
        self.is_self_signed = is_self_signed
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._hosts = hosts
        self._clock = clock
        self._directory: TemporaryDirectory[str] | None = None
        self._pem = b""
        self._certificate: x509.Certificate
        self.refresh()

    @classmethod
    def load(cls, files: TlsFiles, hosts: Hosts, clock: Clock = utc_now) -> Self:
        """Return the certificate in these files, of `--tls-cert` and `--tls-key`.

        Raise TlsRefused if the gateway cannot serve with it.
        """
        return cls(files, hosts, is_self_signed=False, clock=clock)

    @classmethod
    def make(cls, directory: Path | None, hosts: Hosts, clock: Clock = utc_now) -> Self:
        """Return the self-signed certificate in this directory, made if there is none that serves.

        It serves if it is for each of the `hosts`, is valid for 30 days more, and others cannot
        read its key. With no directory it is gone with this object. Raise OSError as files do.
        """
        temporary = TemporaryDirectory(prefix="robosignal-") if directory is None else None
        path = Path(temporary.name) if temporary else directory or Path()
        files = TlsFiles(path / CERTIFICATE_FILE, path / KEY_FILE)
        made = cls(files, hosts, is_self_signed=True, clock=clock)
        # The directory is removed with this object.
        made._directory = temporary
        return made

    def refresh(self) -> bool:
        """Take over files that have changed; make a self-signed one again if it is due.

        Return whether new connections get another certificate than before. Raise TlsRefused, or
        OSError if a new one cannot be kept: the one in use then stays.
        """
        if self.is_self_signed and not _serves(self.files, self._hosts(), self._clock()):
            _write_self_signed(self.files, self._hosts(), self._clock())
        pem, certificate = _check(self.files, self._clock())
        if pem == self._pem:
            return False
        try:
            self.context.load_cert_chain(self.files.certificate, self.files.key)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or "it cannot be read"
            words = str(reason).replace("_", " ").lower()
            raise TlsRefused(f"--tls-cert {self.files.certificate}: {words}") from error
        self._pem, self._certificate = pem, certificate
        return True

    @property
    def names(self) -> tuple[str, ...]:
        """The names and addresses that the certificate is for, `*.example.com` included."""
        return _read_names(self._certificate)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, as browsers show it: pairs of hex digits."""
        return self._certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def spki_sha256(self) -> bytes:
        """The SHA-256 of the public key (RFC 7469, section 2.4)."""
        return sha256(_public_bytes(self._certificate)).digest()

    @property
    def pem(self) -> bytes:
        """The certificate, and its chain if there is one, in PEM."""
        return self._pem

    @property
    def hosts(self) -> tuple[str, ...]:
        """What clients may call this machine and the certificate is for, the best first."""
        names = self.names
        own = [host for host in self._hosts() if any(_covers(name, host) for name in names)]
        others = [name for name in names if not name.startswith("*")]
        return tuple(dict.fromkeys([*own, *others]))

    def client_context(self) -> ssl.SSLContext:
        """Return what a client of this machine checks the gateway by: the system's, and this."""
        context = ssl.create_default_context()
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=self._pem.decode())
        return context


def _check(files: TlsFiles, now: datetime) -> tuple[bytes, x509.Certificate]:
    """Return a certificate with its text. Raise TlsRefused if it cannot be served with this key."""
    option = f"--tls-cert {files.certificate}"
    pem = _read("--tls-cert", files.certificate)
    try:
        certificate = x509.load_pem_x509_certificates(pem)[0]
    except ValueError as error:
        raise TlsRefused(f"{option}: must hold a certificate in PEM") from error
    if _read_public_key(files) != _public_bytes(certificate):
        raise TlsRefused(f"--tls-key {files.key}: must be the key of the certificate in {option}")
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise TlsRefused(f"{option}: has expired on {end:%Y-%m-%d}: renew it")
    if now < start:
        raise TlsRefused(f"{option}: is valid only from {start:%Y-%m-%d %H:%M} UTC")
    if not _read_names(certificate):
        raise TlsRefused(f"{option}: names no host in subjectAltName, so browsers refuse it")
    return pem, certificate


def _read(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise TlsRefused(f"{option} {path}: {reason}") from error


def _read_public_key(files: TlsFiles) -> bytes:
    option = f"--tls-key {files.key}"
    try:
        key = load_pem_private_key(_read("--tls-key", files.key), password=None)
    except TypeError as error:
        raise TlsRefused(
            f"{option}: is encrypted: openssl pkey -in {files.key} decrypts it"
        ) from error
    except ValueError as error:
        raise TlsRefused(f"{option}: must hold a private key in PEM") from error
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public_bytes(certificate: x509.Certificate) -> bytes:
    public = certificate.public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = found.get_values_for_type(x509.IPAddress)
    return (*found.get_values_for_type(x509.DNSName), *map(str, addresses))


def _covers(name: str, host: str) -> bool:
    """Return whether a certificate's name is for this host (RFC 6125, section 6.4)."""
    name, host = name.lower(), host.lower()
    first, _, domain = host.partition(".")
    return name == host or bool(first and domain and name == f"*.{domain}")


def _serves(files: TlsFiles, hosts: Sequence[str], now: datetime) -> bool:
    """Return whether a self-signed certificate is still good to use."""
    try:
        _, certificate = _check(files, now)
        is_private = not files.key.stat().st_mode & OTHERS
    except (TlsRefused, OSError):
        return False
    lasts = now + RENEWED_BEFORE_END < certificate.not_valid_after_utc
    return is_private and lasts and set(hosts) <= set(_read_names(certificate))


def _write_self_signed(files: TlsFiles, hosts: Sequence[str], now: datetime) -> None:
    """Make a key and a certificate. A crash between the two files leaves a pair that never serves.

    Not an authority's: who trusts it trusts this machine and nothing that it could sign.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    title = f"robosignal on {socket.gethostname()}"[:_COMMON_NAME_CHARACTERS]
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, title)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = {"key_encipherment": False, "data_encipherment": False, "content_commitment": False}
    usage |= {"key_agreement": False, "key_cert_sign": False, "crl_sign": False}
    usage |= {"encipher_only": False, "decipher_only": False}
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), False)  # noqa: FBT003 - not critical
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)  # noqa: FBT003 - not critical
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _replace(files.key, pem, 0o600)
    _replace(files.certificate, certificate.public_bytes(Encoding.PEM), 0o644)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Put a file at this path, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
