"""PayPal's objects and deliveries as tests make them."""

import base64
import json
import uuid
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

EUR = {"currency_code": "EUR", "value": "39.98"}
ORDER: dict[str, Any] = {
    "id": "1ORDER0000000000A",
    "status": "COMPLETED",
    "intent": "CAPTURE",
    "create_time": "2026-11-22T12:00:00Z",
    "update_time": "2026-11-22T12:05:00Z",
    "purchase_units": [
        {
            "reference_id": "default",
            "amount": EUR,
            "custom_id": "orders-test.pi.7",
            "invoice_id": "test-pi-7",
        }
    ],
    "links": [{"rel": "payer-action", "href": "https://www.paypal.com/checkoutnow?token=1"}],
}
AUTHORISATION: dict[str, Any] = {
    "id": "1AUTHORIZATION00A",
    "status": "CREATED",
    "amount": EUR,
    "custom_id": "orders-test.pi.7",
    "invoice_id": "test-pi-7",
    "create_time": "2026-11-22T12:05:00Z",
    "expiration_time": "2026-12-21T12:05:00Z",
    "supplementary_data": {"related_ids": {"order_id": "1ORDER0000000000A"}},
}
CAPTURE: dict[str, Any] = {
    "id": "1CAPTURE00000000A",
    "status": "COMPLETED",
    "amount": EUR,
    "custom_id": "orders-test.pi.7",
    "invoice_id": "test-pi-7",
    "create_time": "2026-11-22T12:05:00Z",
    "supplementary_data": {"related_ids": {"order_id": "1ORDER0000000000A"}},
}
REFUND: dict[str, Any] = {
    "id": "1REFUND000000000A",
    "status": "COMPLETED",
    "amount": {"currency_code": "EUR", "value": "10.00"},
    "custom_id": "orders-test.pi.7.re.3",
    "create_time": "2026-11-22T13:00:00Z",
    "links": [{"rel": "up", "href": "https://api.paypal.com/v2/payments/captures/1CAPTURE"}],
}
DISPUTE: dict[str, Any] = {
    "dispute_id": "PP-D-1",
    "status": "WAITING_FOR_SELLER_RESPONSE",
    "reason": "UNAUTHORISED",
    "create_time": "2026-11-22T14:00:00Z",
    "dispute_life_cycle_stage": "CHARGEBACK",
    "dispute_amount": EUR,
    "disputed_transactions": [{"seller_transaction_id": "1CAPTURE", "custom": "orders-test.pi.7"}],
}


def with_captures(*captures: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An order with such captures."""
    unit = ORDER["purchase_units"][0] | {"payments": {"captures": list(captures)}}
    return ORDER | {"purchase_units": [unit]} | changes


def event(kind: str, resource: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An event that PayPal could have made of a resource."""
    types = {"CHECKOUT": "checkout-order", "CUSTOMER": "dispute"}
    nouns = {"REFUND": "refund", "AUTHORIZATION": "authorization"}
    noun = next((word for part, word in nouns.items() if part in kind), "capture")
    return {
        "id": f"WH-{uuid.uuid4()}",
        "create_time": "2026-11-22T12:06:00Z",
        "event_type": kind,
        "resource_type": types.get(kind.partition(".")[0], noun),
        "resource": resource,
    } | changes


class Forger:
    """Somebody with a key and a certificate of their own."""

    def __init__(
        self, name: str = "messageverificationcerts.paypal.com", *, lasts: timedelta | None = None
    ) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begins = datetime.now(UTC) - timedelta(days=2)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + (lasts or timedelta(days=30)))
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def headers(
        self, body: bytes, cert_url: str, webhook_id: str, age: timedelta = timedelta(0)
    ) -> dict[str, str]:
        """What PayPal's headers would be if it had this key."""
        sent_id, sent_at = str(uuid.uuid4()), (datetime.now(UTC) - age).isoformat()
        message = f"{sent_id}|{sent_at}|{webhook_id}|{zlib.crc32(body)}".encode()
        signature = self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return {
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
            "PAYPAL-CERT-URL": cert_url,
            "PAYPAL-TRANSMISSION-ID": sent_id,
            "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signature).decode(),
            "PAYPAL-TRANSMISSION-TIME": sent_at,
        }


def body_of(words: object) -> bytes:
    return json.dumps(words).encode()
