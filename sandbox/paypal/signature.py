"""Signatures of webhooks, by a key whose certificate the server hands out."""

import base64
import binascii
import uuid
import zlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

KEY_BITS, EXPONENT = 2048, 65537
LASTS = timedelta(days=365)
ALGORITHM = "SHA256withRSA"
NAME = "messageverificationcerts.sandbox.paypal.com"


class Signer:
    """A key pair of this server; `pem` is its certificate and that of who vouches for it."""

    def __init__(self, webhook_id: str) -> None:
        self.webhook_id = webhook_id
        self.name = f"CERT-{uuid.uuid4()}"
        self._key = _new_key()
        authority, above = _new_key(), "PayPal sandbox authority"
        chain = (
            _certificate(NAME, self._key, above, authority),
            _certificate(above, authority, above, authority),
        )
        self.pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)

    def sign(self, base_url: str, payload: bytes) -> dict[str, str]:
        """The headers with which PayPal sends a payload, now."""
        sent = uuid.uuid4(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        signed = self._key.sign(
            _message(str(sent[0]), sent[1], self.webhook_id, payload),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
        return {
            "PAYPAL-AUTH-ALGO": ALGORITHM,
            "PAYPAL-AUTH-VERSION": "v2",
            "PAYPAL-CERT-URL": f"{base_url}/v1/notifications/certs/{self.name}",
            "PAYPAL-TRANSMISSION-ID": str(sent[0]),
            "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signed).decode(),
            "PAYPAL-TRANSMISSION-TIME": sent[1],
            "User-Agent": "PayPal/AUHD-1.0 (sandbox)",
        }

    def has_signed(
        self, signature: str, sent_id: str, sent_at: str, webhook_id: str, payload: bytes
    ) -> bool:
        """Whether these are the words of one of our headers about this payload."""
        try:
            self._key.public_key().verify(
                base64.b64decode(signature),
                _message(sent_id, sent_at, webhook_id, payload),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except (InvalidSignature, binascii.Error):
            return False
        return webhook_id == self.webhook_id


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=EXPONENT, key_size=KEY_BITS)


def _certificate(
    name: str, key: rsa.RSAPrivateKey, above: str, authority: rsa.RSAPrivateKey
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(above))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LASTS)
        .add_extension(x509.BasicConstraints(ca=name == above, path_length=None), critical=True)
        .sign(authority, hashes.SHA256())
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _message(sent_id: str, sent_at: str, webhook_id: str, payload: bytes) -> bytes:
    return f"{sent_id}|{sent_at}|{webhook_id}|{zlib.crc32(payload)}".encode()
