"""Keys: who has one reads and writes a stream, and nobody else; what it says is encrypted.

A key is 32 random bytes. From them both sides make the two CURVE pairs of a connection, the
publisher's and the consumer's. A publisher lets in the one consumer's pair that its key makes, and
a consumer talks to the one publisher's pair only, so each knows that the other has the key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from typing import Final, Literal, TypeAlias

from heliograph.errors import InvalidValueError
from heliograph.publish.addresses import is_local

PREFIX: Final = "heliograph-key:"
VARIABLE: Final = "HELIOGRAPH_KEY"
"""The environment variable that a launcher hands a key over in: others cannot read it."""

Side: TypeAlias = Literal["server", "client"]
_BYTES: Final = 32


def make_key() -> str:
    """A new key, as text: `heliograph-key:...`."""
    return PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode().rstrip("=")


def secret_of(key: str, side: Side) -> bytes:
    """The 32 bytes of one side's CURVE secret.

    Raises:
        InvalidValueError: it is no key; what came is not shown.
    """
    try:
        text = key.removeprefix(PREFIX)
        data = base64.b64decode(f"{text}{'=' * (-len(text) % 4)}", b"-_", validate=True)
    except (ValueError, AttributeError, binascii.Error):
        data = b""
    if len(data) != _BYTES or not key.startswith(PREFIX):
        raise InvalidValueError(
            f"key: expected a text {PREFIX}... as heliograph.publish.make_key() gives it"
        )
    return hashlib.blake2b(data, digest_size=32, person=f"hg-{side}".encode()).digest()


def find_key(address: str, key: str | None) -> str | None:
    """The key of a connection; None where it needs none.

    Args:
        address: which is bound or connected to.
        key: what was given; else that of the environment is taken where one is needed.

    Raises:
        InvalidValueError: other machines reach the address, and there is no key.
    """
    if key is not None:
        secret_of(key, "server")
        return key
    if is_local(address):
        return None
    found = os.environ.get(VARIABLE)
    if not found:
        raise InvalidValueError(
            f"{address}: other machines reach it, so it needs a key: give both sides the same "
            f"key=heliograph.publish.make_key(), or set {VARIABLE}; or use tcp://127.0.0.1:port"
        )
    return found
