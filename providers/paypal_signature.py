"""Whether PayPal signed a delivery: by a certificate from a host of PayPal's, checked and kept."""

import base64
import binascii
import re
import threading
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import pairwise
from urllib.parse import urlsplit

import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from providers.base import InvalidSignature, OutcomeUnknown

ALGORITHM = "SHA256withRSA"
# A delivery is tried again for three days, perhaps under its first signature. An event that was
# taken once is known by its id for ever, so that a replay changes nothing.
_OLDEST = timedelta(days=4)
_AHEAD = timedelta(minutes=5)
_TIMEOUT = (3, 5)
_LARGEST_PEM = 65_536
_MOST_KEPT = 16
_PATH = r"/v1/notifications/certs/[A-Za-z0-9._-]{1,128}"
_PAYPAL = "paypal.com"
_LIVE = re.compile(rf"https://(?!(?:[a-z0-9-]+\.)*sandbox\.)(?:[a-z0-9-]+\.)*paypal\.com{_PATH}")
_TEST = re.compile(rf"https://(?:[a-z0-9-]+\.)*sandbox\.paypal\.com{_PATH}")
_HEADERS = ("id", "time", "sig")


class Verifier:
    """Verifies deliveries of one mode: PayPal's, its test mode's, or a stand-in's at `api_base`."""

    def __init__(self, api_base: str, webhook_ids: Iterable[str]) -> None:
        self._webhook_ids = tuple(webhook_ids)
        self._places = _places(api_base)
        self._kept: dict[str, x509.Certificate] = {}
        self._lock = threading.Lock()

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raise `InvalidSignature` unless PayPal sent this body to one of our webhooks, lately.

        Raises `OutcomeUnknown` if its certificate cannot be had now.
        """
        given = {name.lower(): value for name, value in headers.items()}
        sent_id, sent_at, signature = (
            given.get(f"paypal-transmission-{name}", "") for name in _HEADERS
        )
        if given.get("paypal-auth-algo") != ALGORITHM:
            raise InvalidSignature("not signed as PayPal does")
        _check_age(sent_at)
        key = self._key(given.get("paypal-cert-url", ""))
        messages = (
            f"{sent_id}|{sent_at}|{webhook_id}|{zlib.crc32(body)}".encode()
            for webhook_id in self._webhook_ids
        )
        if not any(_is_signed(key, signature, message) for message in messages):
            raise InvalidSignature("no signature of PayPal's for a webhook of ours")

    def takes_from(self, url: str) -> bool:
        """Whether certificates are taken from this address; whatever else is in it does not fit."""
        return self._places.fullmatch(url) is not None

    def _key(self, url: str) -> rsa.RSAPublicKey:
        if not self.takes_from(url):
            raise InvalidSignature("its certificate is not at PayPal's")
        leaf = self._kept.get(url) or self._keep(url)
        if not leaf.not_valid_before_utc <= datetime.now(UTC) <= leaf.not_valid_after_utc:
            raise InvalidSignature("its certificate is not valid now")
        key = leaf.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise InvalidSignature("its certificate has a key of another kind")
        return key

    def _keep(self, url: str) -> x509.Certificate:
        leaf = _checked(_downloaded(url))
        with self._lock:
            while len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[url] = leaf
        return leaf


def _places(api_base: str) -> re.Pattern[str]:
    """The addresses of certificates of the mode that the API is in."""
    host = urlsplit(api_base).hostname or ""
    if host.endswith(f".sandbox.{_PAYPAL}"):
        return _TEST
    if host == _PAYPAL or host.endswith(f".{_PAYPAL}"):
        return _LIVE
    return re.compile(re.escape(api_base) + _PATH)


def _check_age(sent_at: str) -> None:
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(sent_at)
    except (ValueError, TypeError) as error:
        raise InvalidSignature("it does not say when it was sent") from error
    if not -_AHEAD <= age <= _OLDEST:
        raise InvalidSignature("it was not sent lately")


def _downloaded(url: str) -> bytes:
    try:
        with requests.get(url, timeout=_TIMEOUT, allow_redirects=False, stream=True) as answer:
            pem = answer.raw.read(_LARGEST_PEM + 1, decode_content=True)
    except (requests.RequestException, OSError) as error:
        raise OutcomeUnknown(f"the certificate did not come: {type(error).__name__}") from error
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise OutcomeUnknown(f"the certificate did not come: status {answer.status_code}")
    if answer.status_code != HTTPStatus.OK or len(pem) > _LARGEST_PEM:
        raise InvalidSignature("there is no certificate at its address")
    return bytes(pem)


def _checked(pem: bytes) -> x509.Certificate:
    """The certificate of the signer, each one vouched for by the next, as far as they came along.

    That the last of them is PayPal's is what the connection to its host has proved.
    """
    try:
        chain = x509.load_pem_x509_certificates(pem)
        for certificate, issuer in pairwise(chain):
            certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, WrongSignature) as error:
        raise InvalidSignature("its certificate is not sound") from error
    names = [
        str(each.value) for each in chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ]
    if not any(name.endswith(f".{_PAYPAL}") for name in names):
        raise InvalidSignature("its certificate is somebody else's")
    return chain[0]


def _is_signed(key: rsa.RSAPublicKey, signature: str, message: bytes) -> bool:
    try:
        key.verify(
            base64.b64decode(signature, validate=True),
            message,
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
    except (WrongSignature, binascii.Error, ValueError):
        return False
    return True
