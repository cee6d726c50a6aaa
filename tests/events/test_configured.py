"""The configuration's endpoints."""

from __future__ import annotations

import msgspec
import pytest

from config.settings import Account, WebhookEndpoint
from gateway.errors import ConfigError
from gateway.events.configured import ROTATION, changes, stable_id
from gateway.events.sign import new_secret
from gateway.store.records import Webhook

SECRET = new_secret()
URL = "https://c.example/hook"


def account(*urls: str, name: str = "shop", secret: str | None = SECRET) -> Account:
    return Account(name=name, webhooks=tuple(WebhookEndpoint(url=u, secret=secret) for u in urls))


def test_new_ones_are_put_and_known_ones_left():
    put, gone = changes([account(URL)], [], 5)
    assert gone == []
    (webhook,) = put
    assert webhook.id == stable_id("shop", URL)
    assert (webhook.account, webhook.url, webhook.created) == ("shop", URL, 5)
    assert webhook.from_config
    assert changes([account(URL)], put, 6) == ([], [])


def test_ids_are_stable_and_everyones_own():
    assert stable_id("shop", URL) == 8_713_961_366_682_286_922  # it stands in stores: never another
    assert len({stable_id("shop", URL), stable_id("other", URL), stable_id("shop", URL, 1)}) == 3


def test_vanished_ones_go_and_those_of_the_api_stay():
    (configured,), _ = changes([account(URL)], [], 5)
    made = Webhook(9, "shop", "https://c.example/made", [], True, SECRET, 1)
    assert changes([account()], [configured, made], 6) == ([], [configured.id])
    assert changes([], [configured, made], 6) == ([], [configured.id])


def test_two_endpoints_with_one_url():
    put, _ = changes([account(URL, URL)], [], 5)
    assert len({webhook.id for webhook in put}) == 2
    assert changes([account(URL, URL)], put, 6) == ([], [])


def test_a_changed_secret_rotates():
    (before,), _ = changes([account(URL)], [], 5)
    other = new_secret()
    (after,), _ = changes([account(URL, secret=other)], [before], 100)
    assert (after.secret, after.old_secret, after.created) == (other, SECRET, 5)
    assert after.old_secret_until == 100 + ROTATION
    assert changes([account(URL, secret=other)], [after], 200) == ([], [])


def test_a_gone_one_is_active_again_once_the_configuration_is_read():
    (before,), _ = changes([account(URL)], [], 5)
    (after,), _ = changes([account(URL)], [msgspec.structs.replace(before, state="disabled")], 6)
    assert after.state == "active"


def test_a_missing_secret_is_refused():
    with pytest.raises(ConfigError, match="`shop` has no secret"):
        changes([account(URL, secret=None)], [], 5)
