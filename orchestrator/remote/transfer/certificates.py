"""Certificates of a run, by which its relays know each other. Keys are in memory alone, here and there."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from orchestrator.frozen import dataclass

AROUND = timedelta(days=3)
"""Before and after now: the clocks of hosts need not be right, and a run may take its time."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a relay shows, and by which it judges the others. PEM."""

    name: str
    certificate: str
    key: str
    authority: str


class Authority:
    """Signs the certificates of one run. Its key is never written anywhere."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign("raycluster", self._key.public_key(), is_authority=True)

    def identity(self, name: str) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._sign(name, key.public_key(), is_authority=False)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Identity(name, _pem(made), secret.decode(), _pem(self._certificate))

    def _sign(self, name: str, key: ec.EllipticCurvePublicKey, *, is_authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        issuer = self._certificate.subject if not is_authority else _named(name)
        made = x509.CertificateBuilder().subject_name(_named(name)).issuer_name(issuer).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - AROUND).not_valid_after(now + AROUND)
        made = made.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        mine = x509.SubjectKeyIdentifier.from_public_key(key)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        usage = _USAGE_OF_AUTHORITY if is_authority else _USAGE
        made = made.add_extension(mine, critical=False).add_extension(above, critical=False)
        return made.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


_USAGE, _USAGE_OF_AUTHORITY = _usage(signs=False), _usage(signs=True)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
