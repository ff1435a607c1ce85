"""The stack's own certificate authority and its servers' certificates."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.embedded.layout import HOST, Stack, write_private

_VALID = timedelta(days=3650)
_RENEW_BEFORE = timedelta(days=30)

GOOGLE_HOSTS = ("fcm.googleapis.com", "iamcredentials.googleapis.com")
"""Hosts of Google that the FCM stand-in answers as."""

SERVER_NAMES = {
    "edge": ("localhost", HOST),
    "smtp": ("localhost", "smtp", HOST),
    "fcm": (*GOOGLE_HOSTS, "localhost", HOST),
}
"""Names in each server's certificate; the first is its common name."""


def ensure_certificates(stack: Stack, now: datetime | None = None) -> None:
    """Make the authority and the servers' certificates where they are missing.

    Args:
        stack: Files go to ``secrets/ca`` and ``secrets/<server>``.
        now: Time of issue, for tests; None: the clock's.
    """
    moment = now or datetime.now(UTC)
    ca_key_file = stack.secrets / "ca" / "ca.key"
    if not _is_current(stack.ca_file, moment):
        _make_authority(stack.ca_file, ca_key_file, moment)
        for server in SERVER_NAMES:
            certificate_files(stack, server)[0].unlink(missing_ok=True)
    for server, names in SERVER_NAMES.items():
        certificate_file, key_file = certificate_files(stack, server)
        if not _is_current(certificate_file, moment, names):
            issuer = x509.load_pem_x509_certificate(stack.ca_file.read_bytes())
            key = _read_key(ca_key_file)
            chain = _issue(names, issuer, key, moment)
            write_private(key_file, chain[1])
            write_private(certificate_file, chain[0])


def certificate_files(stack: Stack, server: str) -> tuple[Path, Path]:
    """Return the files of a server's certificate and of its private key."""
    folder = stack.secrets / server
    return folder / "tls.pem", folder / "tls.key"


def _is_current(
    certificate_file: Path, moment: datetime, names: tuple[str, ...] = ()
) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except FileNotFoundError:
        return False
    if moment >= certificate.not_valid_after_utc - _RENEW_BEFORE:
        return False
    if not names:
        return True
    kind = x509.SubjectAlternativeName
    held = certificate.extensions.get_extension_for_class(kind).value
    return list(held) == [_alternative(name) for name in names]


def _make_authority(certificate_file: Path, key_file: Path, moment: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Parley embedded authority")
    certificate = (
        _builder(name, name, key.public_key(), moment)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(key_file, _pem(key))
    write_private(certificate_file, certificate.public_bytes(Encoding.PEM).decode())


def _issue(
    names: tuple[str, ...],
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    moment: datetime,
) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        issuer_key.public_key()
    )
    certificate = (
        _builder(_name(names[0]), issuer.subject, key.public_key(), moment)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in names]),
            critical=False,
        )
        .add_extension(authority_key, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode(), _pem(key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    moment: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    if name == HOST:
        return x509.IPAddress(ip_address(name))
    return x509.DNSName(name)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds no elliptic-curve key")
    return key
