"""What opens an order: its number for people, and a token derived from its id."""

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache

import settings

# Crockford's base 32: no I, L, O or U, so a number can be read out on the telephone.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PREFIX = "ord_"


def new_order_number() -> str:
    """An order number nobody can guess: 60 random bits, as in `7K2M-Q9XW-4TRB`."""
    bits = secrets.randbits(60)
    letters = "".join(_ALPHABET[bits >> shift & 31] for shift in range(0, 60, 5))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def order_token(order_id: int, version: int) -> str:
    """The token of an order: derived, never stored; raising the version revokes it."""
    return _derive(settings.current().order_token_keys[0], order_id, version)


def opens(token: str, order_id: int, version: int) -> bool:
    """Whether `token` is that order's, under the present or an older key, in constant time."""
    given = token.encode()
    fits = [
        hmac.compare_digest(given, _derive(key, order_id, version).encode())
        for key in settings.current().order_token_keys
    ]
    return any(fits)


def guest_hash(guest_id: str) -> bytes:
    """What an order keeps of the random id in a guest's session cookie."""
    return hashlib.sha256(guest_id.encode()).digest()


def pseudonym(name: str) -> bytes:
    """What is kept of a client, such as an address, that must not be known again elsewhere."""
    return _pseudonym(settings.current().secret_key, name)


@lru_cache(maxsize=1024)
def _pseudonym(key: str, name: str) -> bytes:
    return _mac(key, f"client:{name}")[:16]


def _derive(key: str, order_id: int, version: int) -> str:
    digest = _mac(key, f"order:{order_id}:{version}")
    return _PREFIX + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _mac(key: str, message: str) -> bytes:
    mac = _keyed(key).copy()
    mac.update(message.encode())
    return mac.digest()


@lru_cache(maxsize=16)
def _keyed(key: str) -> hmac.HMAC:
    """To be copied: OpenSSL takes longer to look up how to begin than to do all the rest."""
    return hmac.new(key.encode(), digestmod="sha256")
