"""The password of the page, kept as a hash: scrypt (RFC 7914) of what was typed, with a salt of its own."""

import base64
import hashlib
import hmac
import os

from afloc.errors import SettingsError

SHORTEST = 10  # characters

_COST = {"n": 2**14, "r": 8, "p": 1}  # 16 MB and some 50 ms for each try
_SALT_BYTES = 16


def hash_password(password: str) -> str:
    """What AFLOC_PASSWORD takes: "scrypt:SALT:KEY", both in URL-safe base64."""
    salt = os.urandom(_SALT_BYTES)
    return ":".join(("scrypt", _encode(salt), _encode(_derive(password, salt))))


def matches(password: str, hashed: str) -> bool:
    """Whether the password is the one hashed; the comparison takes the same time either way."""
    salt, key = _split(hashed)
    return hmac.compare_digest(_derive(password, salt), key)


def check_hash(hashed: str) -> str:
    """The hash itself; SettingsError for anything that `hash_password` did not make."""
    _split(hashed)
    return hashed


def _split(hashed: str) -> tuple[bytes, bytes]:
    try:
        kind, salt, key = hashed.split(":")
        parts = base64.urlsafe_b64decode(salt), base64.urlsafe_b64decode(key)
        if kind != "scrypt" or len(parts[0]) != _SALT_BYTES or len(parts[1]) != hashlib.sha512().digest_size:
            raise ValueError
        return parts
    except ValueError:
        raise SettingsError("This is no hash: make one with `python -m afloc password`.") from None


def _derive(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "replace"), salt=salt, **_COST)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()
