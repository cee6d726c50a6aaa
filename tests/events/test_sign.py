"""Signatures, judged by the reference implementation."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Verifier

from gateway.events.sign import key_of, keys_of, new_secret, signature
from gateway.store.records import Webhook

VECTOR = {
    # https://github.com/standard-webhooks/standard-webhooks, libraries' common test vector
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "timestamp": 1614265330,
    "body": b'{"test": 2432232314}',
    "signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_the_common_vector():
    keys = [key_of(VECTOR["secret"])]
    made = signature(keys, VECTOR["id"], VECTOR["timestamp"], VECTOR["body"])
    assert made == VECTOR["signature"]


def test_large_bodies_and_other_alphabets_as_the_reference_signs_them():
    secret, text = new_secret(), '{"text":"Заказ é 🎉"}' * 10_000
    made = signature([key_of(secret)], "dlv_1", 1_700_000_000, text.encode())
    at = datetime.fromtimestamp(1_700_000_000, UTC)
    assert made == Verifier(secret).sign("dlv_1", at, text)


def test_a_new_secret_is_256_random_bits():
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_€", "whsec_a b!"])
def test_what_is_no_secret_is_refused_and_not_quoted(secret):
    with pytest.raises(ValueError) as refused:
        key_of(secret)
    assert str(refused.value) == "a webhook secret is `whsec_` and base64"


def test_padding_may_be_missing():
    assert key_of("whsec_" + base64.b64encode(b"x" * 25).decode().rstrip("=")) == b"x" * 25


def test_both_secrets_sign_until_the_old_one_ends():
    old, new = new_secret(), new_secret()
    webhook = Webhook(1, "shop", "https://x", [], True, new, 0, old, old_secret_until=100)
    assert keys_of(webhook, 99) == [key_of(new), key_of(old)]
    assert keys_of(webhook, 100) == [key_of(new)]
