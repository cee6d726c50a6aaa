"""Endpoints that the configuration gives, as the store shall have them.

In: accounts, and the endpoints the store has. Out: which to put and which to delete. Pure.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from config.settings import Account, WebhookEndpoint
from gateway.errors import ConfigError
from gateway.store.records import Webhook

ROTATION: Final = 86_400 * 1_000_000
"""µs both secrets sign after the configuration changed one: a day to deploy it on the other
side, as for a rotation through the API."""


def stable_id(account: str, url: str, occurrence: int = 0) -> int:
    """The same id for the same endpoint at every start, whatever else the file has.

    63 bits of SHA-256; `occurrence` tells endpoints of one account with one URL (each for its
    own types) apart.
    """
    text = f"{account}\n{url}" + (f"\n{occurrence}" if occurrence else "")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def changes(
    accounts: Iterable[Account], stored: Sequence[Webhook], now: int
) -> tuple[list[Webhook], list[int]]:
    """Endpoints to put into the store, and ids of those to delete from it.

    Endpoints made through the API are left alone. One that said 410 Gone becomes active again:
    the API does not change what is configured, so reading the configuration (again) is how its
    owner says that it is back. Raises ConfigError for an endpoint without a secret.
    """
    known = {webhook.id: webhook for webhook in stored if webhook.from_config}
    put: list[Webhook] = []
    wanted: set[int] = set()
    for account in accounts:
        seen: Counter[str] = Counter()
        for spec in account.webhooks:
            identifier = stable_id(account.name, spec.url, seen[spec.url])
            seen[spec.url] += 1
            wanted.add(identifier)
            webhook = _webhook(identifier, account.name, spec, known.get(identifier), now)
            if webhook != known.get(identifier):
                put.append(webhook)
    return put, [identifier for identifier in known if identifier not in wanted]


def _webhook(
    identifier: int, account: str, spec: WebhookEndpoint, before: Webhook | None, now: int
) -> Webhook:
    if spec.secret is None:
        raise ConfigError([f"a webhook of account `{account}` has no secret; give it one"])
    webhook = Webhook(
        id=identifier,
        account=account,
        url=spec.url,
        types=list(spec.types),
        batched=spec.batched,
        secret=spec.secret,
        created=now if before is None else before.created,
        from_config=True,
    )
    if before is None:
        return webhook
    if before.secret == webhook.secret:
        webhook.old_secret = before.old_secret
        webhook.old_secret_until = before.old_secret_until
    else:
        webhook.old_secret = before.secret
        webhook.old_secret_until = now + ROTATION
    return webhook
