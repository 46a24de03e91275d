"""Certificates and keys for tests: what an operator brings, good or bad."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from robosignal.gateway.tls import TlsFiles

START = datetime.now(UTC) - timedelta(days=2)
DAYS_90 = timedelta(days=90)


@dataclass(frozen=True)
class Authority:
    """A key that signs, as an authority's does."""

    key: ec.EllipticCurvePrivateKey
    name: x509.Name


def make_authority() -> Authority:
    """Return an authority that nothing trusts."""
    common = x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority of a test")
    return Authority(ec.generate_private_key(ec.SECP256R1()), x509.Name([common]))


def write(
    directory: Path,
    *names: x509.GeneralName,
    start: datetime = START,
    lasts: timedelta = DAYS_90,
    password: bytes | None = None,
) -> TlsFiles:
    """Write a certificate for these names, which an authority has signed, and its key."""
    authority, key = make_authority(), ec.generate_private_key(ec.SECP256R1())
    common = x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway of a test")
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([common]))
        .issuer_name(authority.name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lasts)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    files = TlsFiles(directory / "given.pem", directory / "given-key.pem")
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return files
