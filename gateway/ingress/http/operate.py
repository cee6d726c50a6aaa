"""What operators ask for: carriers, keys, replies.

In: calls. Out: answers. Keys are shown once, when they are made.
"""

from __future__ import annotations

import ipaddress
from typing import Final

import msgspec

from gateway.ingress.http import answers as a
from gateway.ingress.http import auth, values
from gateway.ingress.http.call import Answer, Call, answer, not_found, page_link
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.problem import field_problem
from gateway.ingress.http.shapes import KeyRequest
from gateway.ingress.http.views import inbound_out, key_out
from gateway.store.records import ApiKey

PAGE: Final = frozenset({"limit", "cursor"})
KEYS: Final = frozenset({"account"})

_decode_key: Final = decoder(KeyRequest)


async def inbound(call: Call) -> Answer:
    """Replies to the account, newest first."""
    query = call.query(PAGE)
    limit = values.limit_of(query)
    found = await call.service.store.inbound_messages(
        call.account.name, limit + 1, values.cursor_of(query)
    )
    cursor = values.spell_cursor(found[limit - 1].id) if len(found) > limit else None
    page = a.InboundPage([inbound_out(one) for one in found[:limit]], cursor)
    return answer(200, page, *page_link(call, query, cursor))


async def keys(call: Call) -> Answer:
    """Keys of all accounts, or of one."""
    account = call.query(KEYS).get("account")
    found = await call.service.store.keys(account)
    return answer(200, a.KeyList([key_out(key) for key in found]))


async def create_key(call: Call) -> Answer:
    """A new key for a configured account; the answer is the one time it is shown."""
    body = await call.body()
    request = _decode_key(body)
    refuse_nul(body)
    service = call.service
    if request.account not in service.keyring.accounts:
        raise field_problem(
            "invalid_value", "#/account", "`account`: there is no such account configured"
        )
    for place, network in enumerate(request.networks):
        _check_network(network, place)
    expires = None if request.expires_at is None else values.microseconds(request.expires_at)
    if expires is not None and expires <= call.now:
        raise field_problem("invalid_value", "#/expires_at", "`expires_at` is in the past")
    secret = auth.make_key()
    key = ApiKey(
        service.store.new_ids(1, call.now)[0],
        auth.digest_of(secret),
        auth.prefix_of(secret),
        request.account,
        tuple(dict.fromkeys(request.scopes)),
        tuple(request.networks),
        call.now,
        expires,
        name=request.name,
    )
    await service.store.put_key(key)
    service.keyring.forget(key.digest)
    created = a.KeyCreated(**msgspec.structs.asdict(key_out(key)), key=secret)
    return answer(201, created)


def _check_network(network: str, place: int) -> None:
    try:
        ipaddress.ip_network(network)
    except ValueError:
        raise field_problem(
            "invalid_value",
            f"#/networks/{place}",
            "`networks`: a network is written 192.0.2.0/24, with no bits beyond its length",
        ) from None


async def revoke_key(call: Call) -> Answer:
    """End a key at once here, within seconds on other nodes; twice is no error."""
    identifier = call.id("key")
    service = call.service
    for key in await service.store.keys():
        if key.id == identifier:
            if key.revoked is None:
                key = msgspec.structs.replace(key, revoked=call.now)
                await service.store.put_key(key)
                service.keyring.forget(key.digest)
            return answer(200, key_out(key))
    raise not_found("key")
