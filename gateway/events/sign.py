"""Signatures of Standard Webhooks 1.0.

In: secrets as both sides know them, and what is about to be posted. Out: the value of
`webhook-signature`. Knows no HTTP and no clock.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from gateway.store.records import Webhook

PREFIX: Final = "whsec_"
"""Says what the string is, so that a leaked one can be recognised by scanners."""

SECRET_OCTETS: Final = 32
"""Standard Webhooks asks for 24 to 64; 32 is what SHA-256 gives back."""


def new_secret() -> str:
    """A secret for an endpoint: `whsec_` and base64 of 32 random octets."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_OCTETS)).decode()


def key_of(secret: str) -> bytes:
    """The HMAC key behind a secret. Raises ValueError (which never quotes it) if it is none."""
    encoded = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"a webhook secret is `{PREFIX}` and base64")
    return key


def keys_of(webhook: Webhook, now: int) -> list[bytes]:
    """The keys that sign at `now` (UTC µs): two while a secret rotates, the new one first."""
    keys = [key_of(webhook.secret)]
    if webhook.old_secret is not None and now < webhook.old_secret_until:
        keys.append(key_of(webhook.old_secret))
    return keys


def signature(keys: Sequence[bytes], identifier: str, timestamp: int, body: bytes) -> str:
    """`v1,` and base64 of HMAC-SHA256 over `identifier.timestamp.body`; one for each key.

    `timestamp` is that of the try in Unix seconds: receivers refuse what is minutes old, so a
    retry is signed anew. The head is hashed first instead of joined to the body: a body of 500
    events is not copied for it.
    """
    head = f"{identifier}.{timestamp}.".encode()
    signatures: list[str] = []
    for key in keys:
        digest = hmac.new(key, head, "sha256")
        digest.update(body)
        signatures.append("v1," + base64.b64encode(digest.digest()).decode())
    return " ".join(signatures)
