"""Idempotency-Key: one effect and one answer, however often a request is sent.

In: the header and the body. Out: a `Claim` on the key while its request is worked on, and what the
store keeps with the submission. Keys are scoped to account and route (method and path; an upload's
path names its batch). An answer is kept only together with what was stored: a refused request
leaves no trace and may be corrected under the same key. Follows draft-ietf-httpapi-idempotency-key-
header; keys without quotes are accepted because most clients send them so.
"""

from __future__ import annotations

import hashlib
import re
from types import TracebackType
from typing import Final

from gateway.ingress.http.problem import Problem
from gateway.store.messages import Idempotency, StoredAnswer

LONGEST: Final = 255
_PRINTABLE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\Z")
_ESCAPED: Final = re.compile(r"\\([\\\"])")

_Slot = tuple[str, str, str]


def parse_key(field: str) -> str:
    """The key of a header field: a quoted string (RFC 8941 §3.3.3) or the bare characters."""
    key = field.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = _ESCAPED.sub(r"\1", key[1:-1])
    if not _PRINTABLE.match(key) or len(key) > LONGEST:
        raise Problem(
            "invalid_idempotency_key",
            f"{len(key)} characters; a key is 1 to {LONGEST} printable ASCII characters",
        )
    return key


class Claim:
    """A key in use. `digest` sees the body, whole or in chunks."""

    __slots__ = ("_held", "_slot", "complete", "digest")

    def __init__(self, held: set[_Slot], slot: _Slot) -> None:
        self._held = held
        self._slot = slot
        self.digest = hashlib.sha256()
        self.complete = False
        """Whether `digest` has seen the whole body."""

    def __enter__(self) -> Claim:
        if self._slot in self._held:
            raise Problem(
                "request_in_flight",
                "the first request with this Idempotency-Key has no answer yet",
                headers=[("Retry-After", "1")],
            )
        self._held.add(self._slot)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.discard(self._slot)

    @property
    def slot(self) -> _Slot:
        """Account, scope, key: what the store looks an answer up by."""
        return self._slot

    def record(self, status: int, body: bytes) -> Idempotency:
        """What the store keeps with the submission."""
        account, scope, key = self._slot
        return Idempotency(account, scope, key, self.digest.digest(), status, body)

    def check(self, stored: StoredAnswer) -> None:
        """Raise unless the stored answer belongs to the same body."""
        if stored.fingerprint != self.digest.digest():
            raise Problem(
                "idempotency_key_reused",
                "the key was used with another body in the last 24 hours",
            )


class Claims:
    """The keys being worked on by this process."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: set[_Slot] = set()

    def claim(self, account: str, scope: str, field: str) -> Claim:
        """A claim to enter; entering raises 409 while another request holds it."""
        return Claim(self._held, (account, scope, parse_key(field)))
