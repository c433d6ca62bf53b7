"""Certificates for tests: an authority that issues and revokes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key(kind: str = "ec") -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def name_of(common_name: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


class Issued:
    """A certificate and its key, as files."""

    def __init__(self, certificate: x509.Certificate, key: Key, stem: Path) -> None:
        self.certificate = certificate
        self.cert, self.key = str(stem) + ".pem", str(stem) + ".key"
        Path(self.cert).write_bytes(certificate.public_bytes(Encoding.PEM))
        Path(self.key).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    @property
    def pem(self) -> str:
        return Path(self.cert).read_text()


class Authority:
    """A root."""

    def __init__(self, directory: Path, name: str = "root") -> None:
        self.directory = directory
        self._key = new_key()
        self._name = name_of(name, "CPO")
        self._revoked: list[x509.Certificate] = []
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = str(directory / f"{name}.pem")
        Path(self.file).write_bytes(self.certificate.public_bytes(Encoding.PEM))
        self.crl = str(directory / f"{name}.crl")
        self._write_crl()

    def issue(
        self,
        common_name: str,
        *,
        organization: str = "CPO",
        kind: str = "ec",
        days: float = 90,
        dns: str = "",
        stem: str = "",
    ) -> Issued:
        """`days`: until it ends; negative: it has ended. `stem`: name of the files."""
        now, key = datetime.now(UTC), new_key(kind)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of(common_name, organization))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=365))
            .not_valid_after(now + timedelta(days=days))
        )
        if dns:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Issued(
            certificate, key, self.directory / (stem or f"{common_name}-{kind}-{certificate.serial_number % 9999}")
        )

    def revoke(self, issued: Issued) -> None:
        self._revoked.append(issued.certificate)
        self._write_crl()

    def _write_crl(self) -> None:
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=7))
        for each in self._revoked:
            revoked = x509.RevokedCertificateBuilder().serial_number(each.serial_number)
            builder = builder.add_revoked_certificate(revoked.revocation_date(now - timedelta(minutes=1)).build())
        Path(self.crl).write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
