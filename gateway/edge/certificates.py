"""What a charger's certificate says, and whether it is that charger's (reliability 2.4).

OpenSSL has checked chain, validity and revocation when a charger shows its certificate itself. What a proxy passes on is
checked here against the same files.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec

from gateway.registry.feed import signature

if TYPE_CHECKING:
    from cryptography import x509

    from gateway.config_listen import Tls
    from gateway.registry import Charger


_END_OF_LIST = "-----END X509 CRL-----"


class BadCertificate(Exception):
    """The certificate is not one that lets this charger in; the text says why."""


class Certificate(msgspec.Struct, frozen=True):
    """The names in a certificate."""

    common_names: tuple[str, ...]
    organizations: tuple[str, ...]
    dns_names: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return self.common_names + self.dns_names


def of_peer(found: dict[str, Any] | None) -> Certificate | None:
    """From what `SSLObject.getpeercert()` gives."""
    if not found:
        return None
    subject = [pair for part in found.get("subject", ()) for pair in part]
    return Certificate(
        tuple(value for key, value in subject if key == "commonName"),
        tuple(value for key, value in subject if key == "organizationName"),
        tuple(value for key, value in found.get("subjectAltName", ()) if key == "DNS"),
    )


def of_header(header: str, tls: Tls) -> Certificate:
    """From a header in which a proxy passes on a certificate. Raises BadCertificate, OSError."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509.oid import NameOID

    try:
        shown = x509.load_pem_x509_certificate(unquote_to_bytes(header.strip()))
        _verify(shown, tls)
        subject = shown.subject
        try:
            dns = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = tuple(dns.value.get_values_for_type(x509.DNSName))
        except x509.ExtensionNotFound:
            names = ()
        return Certificate(
            tuple(str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)),
            tuple(str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)),
            names,
        )
    except (
        ValueError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise BadCertificate(f"unreadable certificate: {error}") from None


def _verify(shown: x509.Certificate, tls: Tls) -> None:
    """Issued by one of `client_ca`, valid now, not revoked."""
    from cryptography.exceptions import InvalidSignature

    issuer = None
    for authority in _authorities(tls.client_ca, signature((tls.client_ca,))):
        try:
            shown.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        issuer = authority
        break
    if issuer is None:
        raise BadCertificate("unknown issuer")
    now = datetime.now(UTC)
    for each in (shown, issuer):
        if not each.not_valid_before_utc <= now <= each.not_valid_after_utc:
            raise BadCertificate("not valid now")
    if tls.crl:
        for revoked in _revocations(tls.crl, signature((tls.crl,))):
            if revoked.issuer == issuer.subject and revoked.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
                break
        else:
            raise BadCertificate("no revocation list of its issuer")
        if revoked.next_update_utc is not None and revoked.next_update_utc < now:
            raise BadCertificate("the revocation list of its issuer is too old")
        if revoked.get_revoked_certificate_by_serial_number(shown.serial_number) is not None:
            raise BadCertificate("revoked")


@lru_cache(8)
def _authorities(path: str, _signature: object) -> list[x509.Certificate]:
    from cryptography import x509

    return x509.load_pem_x509_certificates(Path(path).read_bytes())


@lru_cache(8)
def _revocations(path: str, _signature: object) -> list[x509.CertificateRevocationList]:
    from cryptography import x509

    parts = Path(path).read_text("ascii", "ignore").split(_END_OF_LIST)[:-1]
    return [x509.load_pem_x509_crl((part + _END_OF_LIST + "\n").encode()) for part in parts]


def belongs(shown: Certificate, tls: Tls, identity: str, charger: Charger | None) -> frozenset[str]:
    """The serial numbers (casefolded) that the BootNotification of this charger may have. Raises BadCertificate."""
    if tls.organization and tls.organization not in shown.organizations:
        raise BadCertificate("O is not the configured organization")
    serial = charger.serial if charger is not None else ""
    wanted = set()
    if serial and tls.client_name != "identity":
        wanted.add(serial.casefold())
    if tls.client_name != "serial":
        wanted.add(identity.casefold())
    if not wanted & {name.casefold() for name in shown.names}:
        raise BadCertificate("neither CN nor a DNS name is this charger's")
    allowed = [name.casefold() for name in (*shown.common_names, serial) if name]
    return frozenset(allowed) if tls.check_serial else frozenset()
