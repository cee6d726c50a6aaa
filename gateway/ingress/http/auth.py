"""Who asks: API keys, from the configuration and from the store.

In: an Authorization header and the peer's address. Out: an `Identity`, or a 401/403 `Problem`.
Keys are looked up by their SHA-256 digest only, so no comparison's duration depends on how much of
a guess is right, and no key is kept or logged. Networks are those of the TCP peer: behind a proxy,
restrict there. Knows no route.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
import secrets
from collections.abc import Sequence
from typing import Final

from config.settings import Account, Key, Settings
from gateway.errors import ConfigError
from gateway.ingress.http.limits import TokenBucket
from gateway.ingress.http.ports import Clock
from gateway.ingress.http.problem import Problem
from gateway.store.contract import Store
from gateway.store.records import ApiKey

TTL: Final = 10_000_000
"""How long an answer of the store is trusted, µs: a key revoked on another node dies within it."""
_REMEMBERED: Final = 10_000
"""Digests kept; guesses beyond it cost the store a look-up each, not us memory."""
_LONGEST: Final = 512
_PREFIX_LENGTH: Final = 11

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Identity:
    """A key that was recognised."""

    __slots__ = (
        "account",
        "actor",
        "bucket",
        "expires",
        "fresh_until",
        "networks",
        "revoked",
        "scopes",
    )

    def __init__(
        self,
        account: Account,
        scopes: Sequence[str],
        networks: Sequence[str],
        bucket: TokenBucket,
        actor: str,
        expires: int | None = None,
        revoked: int | None = None,
        fresh_until: int | None = None,
    ) -> None:
        self.account = account
        self.actor = actor
        """How the trail names whoever holds the key: its prefix and name; of one in the
        configuration `config` and how its SHA-256 begins (`aldis keys hash` prints it)."""
        self.scopes = frozenset(scopes)
        self.networks: list[Network] = [ipaddress.ip_network(one) for one in networks]
        self.bucket = bucket
        self.expires = expires
        self.revoked = revoked
        self.fresh_until = fresh_until
        """UTC µs until the store is asked again; None for keys of the configuration."""

    def check(self, remote: str | None, now: int) -> None:
        """Raise unless the key is in force here and now."""
        if self.revoked is not None:
            raise unauthorized("revoked_key", "the key was revoked")
        if self.expires is not None and self.expires <= now:
            raise unauthorized("expired_key", "the key has expired")
        if self.networks and not _within(remote, self.networks):
            raise Problem("network_not_allowed", "the key may not be used from this address")


def make_key() -> str:
    """A new key: `ak_` and 256 random bits in base32 (safe to select with a double click)."""
    return "ak_" + base64.b32encode(secrets.token_bytes(32)).decode().rstrip("=").lower()


def digest_of(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


def prefix_of(key: str) -> str:
    """What is shown of a key: enough to tell two apart, 40 bits of 256."""
    return key[:_PREFIX_LENGTH]


def unauthorized(code: str, detail: str) -> Problem:
    """401 with the challenge RFC 9110 §11.6.1 asks for."""
    return Problem(code, detail, headers=[("WWW-Authenticate", 'Bearer realm="aldis"')])


class Keyring:
    """All keys in force."""

    __slots__ = ("_accounts", "_cache", "_clock", "_configured", "_rate", "_store")

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._cache: dict[bytes, Identity | int] = {}
        """Identities of stored keys; for unknown digests the time that stays believed."""
        self._configured: dict[bytes, Identity] = {}
        self._accounts: dict[str, Account] = {}
        self._rate = 1
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Take accounts and keys from (new) settings; raises `ConfigError` and changes nothing
        when a key's variable is not set."""
        rate, now = settings.http.requests_per_second, self._clock()
        configured: dict[bytes, Identity] = {}
        problems: list[str] = []
        for account in settings.account:
            for key in account.keys:
                digest = _configured_digest(key)
                if digest is None:
                    problems.append(
                        f"account {account.name}: a key's variable {key.env} is not set; set it "
                        "or remove the key"
                    )
                    continue
                bucket = TokenBucket(rate, now)
                actor = f"config {digest.hex()[:_PREFIX_LENGTH]}"
                configured[digest] = Identity(account, key.scopes, key.networks, bucket, actor)
        if problems:
            raise ConfigError(problems)
        self._rate = rate
        self._accounts = {account.name: account for account in settings.account}
        self._configured = configured
        self._cache.clear()

    @property
    def accounts(self) -> dict[str, Account]:
        """Configured accounts by name."""
        return self._accounts

    def forget(self, digest: bytes) -> None:
        """Ask the store again for this key: it was made, changed or revoked."""
        self._cache.pop(digest, None)

    def recall(self, authorization: str | None, now: int) -> Identity | bytes:
        """The identity if it is known without asking the store, else the digest to ask for."""
        digest = digest_of(_token(authorization))
        identity = self._configured.get(digest)
        if identity is not None:
            return identity
        known = self._cache.get(digest)
        if known is None:
            return digest
        if isinstance(known, int):
            if known <= now:
                return digest
            raise unauthorized("invalid_key", "no such key")
        return known if known.fresh_until is None or known.fresh_until > now else digest

    async def ask(self, digest: bytes, now: int) -> Identity:
        """The identity as the store knows it."""
        stored = await self._store.key(digest)
        if len(self._cache) >= _REMEMBERED:
            self._cache.clear()
        if stored is None:
            self._cache[digest] = now + TTL
            raise unauthorized("invalid_key", "no such key")
        identity = self._identity(stored, self._cache.get(digest), now)
        self._cache[digest] = identity
        return identity

    def _identity(self, stored: ApiKey, before: Identity | int | None, now: int) -> Identity:
        account = self._accounts.get(stored.account)
        if account is None:
            raise Problem("account_unknown", "the key's account is not in the configuration")
        # The bucket outlives the refresh, or every TTL would grant a full second's burst.
        bucket = before.bucket if isinstance(before, Identity) else TokenBucket(self._rate, now)
        return Identity(
            account,
            stored.scopes,
            stored.networks,
            bucket,
            f"{stored.prefix} {stored.name}".rstrip(),
            stored.expires,
            stored.revoked,
            now + TTL,
        )


def _token(authorization: str | None) -> str:
    if authorization is None:
        raise unauthorized("missing_key", "send Authorization: Bearer and an API key")
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > _LONGEST or not token.isascii():
        raise unauthorized("invalid_key", "the Authorization header is not Bearer and an API key")
    return token


def _configured_digest(key: Key) -> bytes | None:
    if key.hash is not None:
        return bytes.fromhex(key.hash)
    value = key.value if key.value is not None else os.environ.get(key.env or "")
    return digest_of(value) if value else None


def _within(remote: str | None, networks: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(remote or "")
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
