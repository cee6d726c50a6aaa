"""Endpoints for events: create, change, rotate, test, look at deliveries, replay.

In: calls. Out: answers. Endpoints of the configuration can be seen and tested, not changed.
Delivery itself, and the check of the address a name resolves to, belong to the events stage.
"""

from __future__ import annotations

import base64
import ipaddress
import secrets
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway import ids
from gateway.ingress.http import answers as a
from gateway.ingress.http import values
from gateway.ingress.http.call import Answer, Call, answer, not_found, page_link
from gateway.ingress.http.decode import decoder, refuse_nul
from gateway.ingress.http.problem import Problem, field_problem, parameter_problem
from gateway.ingress.http.shapes import ReplayRequest, WebhookPatch, WebhookRequest
from gateway.ingress.http.views import delivery_out, webhook_out
from gateway.store.records import DeliveryState, Webhook

DELIVERIES: Final = frozenset({"state", "limit", "cursor"})
ROTATION: Final = 24 * 3600 * 1_000_000
"""How long both secrets sign after a rotation, µs: a day to deploy the new one."""

_decode: Final = decoder(WebhookRequest)
_decode_patch: Final = decoder(WebhookPatch)
_decode_replay: Final = decoder(ReplayRequest)


def make_secret() -> str:
    """`whsec_` and 32 random octets (Standard Webhooks asks for 24 to 64)."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def check_url(url: str, *, allow_private: bool) -> None:
    """Refuse targets that cannot be meant: no https, credentials in the URL, our own network."""
    problem = _url_problem(url, allow_private)
    if problem is not None:
        raise field_problem("invalid_value", "#/url", f"`url`: {problem}")


def _url_problem(url: str, allow_private: bool) -> str | None:
    if not url.isascii() or not url.isprintable() or " " in url:
        return "a URL is printable ASCII without spaces"
    try:
        parts = urlsplit(url)
        host = parts.hostname
        if parts.port == 0:
            return "port 0 is none"
    except ValueError:
        return "it is not a URL"
    if parts.scheme not in (("https", "http") if allow_private else ("https",)) or not host:
        return "it must begin with https:// and a host"
    if parts.username is not None or parts.password is not None:
        return "it must not hold credentials; the signature tells who calls"
    if parts.fragment:
        return "it must have no fragment"
    if not allow_private and _is_private(host):
        return "private, loopback and link-local addresses are not allowed"
    return None


def _is_private(host: str) -> bool:
    """Literal addresses only: names are checked when they are resolved, at each delivery."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


async def create(call: Call) -> Answer:
    """A new endpoint; the answer is the one time its secret is shown whole."""
    body = await call.body()
    request = _decode(body)
    refuse_nul(body)
    service = call.service
    check_url(request.url, allow_private=service.settings.webhooks.allow_private)
    webhook = Webhook(
        service.store.new_ids(1, call.now)[0],
        call.account.name,
        request.url,
        list(dict.fromkeys(request.types)),
        request.batched,
        make_secret(),
        call.now,
        description=request.description,
    )
    await _put(call, webhook)
    return answer(201, webhook_out(webhook, reveal=True))


async def listing(call: Call) -> Answer:
    """All endpoints of the account."""
    found = await call.service.store.webhooks(call.account.name)
    return answer(200, a.WebhookList([webhook_out(webhook) for webhook in found]))


async def get(call: Call) -> Answer:
    """One endpoint."""
    return answer(200, webhook_out(await _own(call)))


async def patch(call: Call) -> Answer:
    """Change what the body names."""
    body = await call.body()
    request = _decode_patch(body)
    refuse_nul(body)
    webhook = await _own(call, changing=True)
    if request.url is not None:
        check_url(request.url, allow_private=call.service.settings.webhooks.allow_private)
    changes = {
        name: value
        for name in ("url", "types", "batched", "description", "state")
        if (value := getattr(request, name)) is not None
    }
    webhook = msgspec.structs.replace(webhook, **changes)
    await _put(call, webhook)
    return answer(200, webhook_out(webhook))


async def delete(call: Call) -> Answer:
    """Forget an endpoint and its deliveries."""
    webhook = await _own(call, changing=True)
    await call.service.store.delete_webhook(webhook.id)
    call.service.webhooks.changed(call.account.name)
    return Answer(204, b"")


async def rotate(call: Call) -> Answer:
    """A new secret, shown once; for a day both sign."""
    webhook = await _own(call, changing=True)
    webhook = msgspec.structs.replace(
        webhook,
        secret=make_secret(),
        old_secret=webhook.secret,
        old_secret_until=call.now + ROTATION,
    )
    await _put(call, webhook)
    return answer(200, webhook_out(webhook, reveal=True))


async def test(call: Call) -> Answer:
    """POST a test event now and tell what came of it."""
    webhook = await _own(call)
    result = await call.service.webhooks.test(webhook.id)
    return answer(
        200,
        a.TestOut(
            200 <= result.status < 300,
            result.status or None,
            result.error or None,
            round(result.seconds, 6),
        ),
    )


async def deliveries(call: Call) -> Answer:
    """Deliveries of an endpoint, newest first."""
    query = call.query(DELIVERIES)
    state = query.get("state")
    if state is not None and state not in set(DeliveryState):
        raise parameter_problem("state", f"`state` is one of {', '.join(DeliveryState)}")
    limit = values.limit_of(query)
    webhook = await _own(call)
    found = await call.service.store.deliveries(
        webhook.id, state, limit + 1, values.cursor_of(query)
    )
    cursor = values.spell_cursor(found[limit - 1].id) if len(found) > limit else None
    page = a.DeliveryPage([delivery_out(one) for one in found[:limit]], cursor)
    return answer(200, page, *page_link(call, query, cursor))


async def replay(call: Call) -> Answer:
    """Make deliveries pending again: some by id, or all dead ones since a time."""
    request = _decode_replay(await call.body())
    if (request.ids is None) == (request.since is None):
        raise field_problem("missing_field", "#/ids", "give `ids` or `since`, not both")
    wanted = None if request.ids is None else [_delivery(one) for one in request.ids]
    since = None if request.since is None else values.microseconds(request.since)
    webhook = await _own(call)
    count = await call.service.store.replay(webhook.id, call.now, ids=wanted, since=since)
    call.service.webhooks.changed(call.account.name)
    return answer(202, a.Replayed(count))


def _delivery(text: str) -> int:
    identifier = ids.decode("dlv", text)
    if identifier is None:
        raise field_problem("invalid_value", "#/ids", "an id of a delivery begins with dlv_")
    return identifier


async def _own(call: Call, *, changing: bool = False) -> Webhook:
    """The endpoint the path names, if it is the caller's (and may be changed)."""
    identifier = call.id("whk")
    for webhook in await call.service.store.webhooks(call.account.name):
        if webhook.id == identifier:
            if changing and webhook.from_config:
                raise Problem("configured", "the endpoint is part of the configuration")
            return webhook
    raise not_found("whk")


async def _put(call: Call, webhook: Webhook) -> None:
    await call.service.store.put_webhook(webhook)
    call.service.webhooks.changed(call.account.name)
