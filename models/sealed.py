"""Secrets at rest: encrypted with the first of `FIELD_KEYS`, readable with any of them."""

from cryptography.fernet import Fernet, MultiFernet

import settings


def seal(secret: str) -> bytes:
    return _box().encrypt(secret.encode())


def unseal(sealed: bytes) -> str:
    """Raise `cryptography.fernet.InvalidToken` if none of the keys fits."""
    return _box().decrypt(sealed).decode()


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.current().field_keys])
