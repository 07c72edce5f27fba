"""A throw-away certificate authority for the tests of TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass
class Issued:
    """Files of one certificate."""

    certificate: Path
    key: Path

    @property
    def content(self) -> bytes:
        return self.certificate.read_bytes()


@dataclass
class Authority:
    """Makes certificates that last a day."""

    folder: Path
    name: str = "test authority"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.file = self.folder / "authority.pem"
        self.file.write_bytes(_pem(self._signed(self.name, self.key, authority=True)))

    def issue(self, name: str, *, server: bool = False, days: int = 1) -> Issued:
        """Make a certificate; ``days`` may be negative: then it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        issued = Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        issued.certificate.write_bytes(_pem(self._signed(name, key, server=server, days=days)))
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued

    def client_context(self, with_certificate: Issued | None) -> ssl.SSLContext:
        """Return how a client of this authority speaks TLS, with a certificate or without."""
        context = ssl.create_default_context(cafile=str(self.file))
        if with_certificate is not None:
            context.load_cert_chain(with_certificate.certificate, with_certificate.key)
        return context

    def _signed(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        server: bool = False,
        authority: bool = False,
        days: int = 1,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        begin = now - timedelta(days=2) if days < 0 else now - timedelta(minutes=5)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if server:
            names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if not authority:
            made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return made.sign(self.key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
