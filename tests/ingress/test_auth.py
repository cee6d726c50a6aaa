from __future__ import annotations

import hashlib
import logging
from typing import Any

import msgspec
import pytest

from config.settings import Account, Key, Settings
from gateway.errors import ConfigError
from gateway.ingress.http.auth import TTL, Keyring, digest_of, make_key, prefix_of
from gateway.store.records import ApiKey
from tests.ingress.client import KEY, Client
from tests.ingress.conftest import ADMIN, NETWORKED, NOW, READER, SECOND, Rig

MESSAGE: dict[str, Any] = {"from": "ACME", "to": "+79161234567", "text": "Hello"}


async def test_without_a_key(client: Client) -> None:
    reply = await client.get("/v1/messages", key=None)
    assert (reply.status, reply.code) == (401, "missing_key")
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="aldis"'
    assert "RateLimit" not in reply.headers


@pytest.mark.parametrize(
    "field", ["Bearer", "Bearer ", "Basic dTpw", "Bearer ak_wrong", "ak_x", f"Bearer {'k' * 600}"]
)
async def test_with_a_wrong_key(client: Client, field: str) -> None:
    reply = await client.get("/v1/messages", key=None, headers={"Authorization": field})
    assert (reply.status, reply.code) == (401, "invalid_key")


async def test_the_scheme_is_case_insensitive(client: Client) -> None:
    for scheme in ("bearer", "BEARER"):
        reply = await client.get(
            "/v1/messages", key=None, headers={"Authorization": f"{scheme} {KEY}"}
        )
        assert reply.status == 200


async def test_a_missing_scope_is_named(client: Client) -> None:
    reply = await client.post("/v1/messages", MESSAGE, key=READER)
    assert (reply.status, reply.code) == (403, "missing_scope")
    assert "`messages:write`" in reply.json["detail"]
    reply = await client.get("/v1/keys", key=KEY)
    assert (reply.status, reply.code) == (403, "missing_scope")
    assert "`admin`" in reply.json["detail"]


async def test_from_another_network(client: Client) -> None:
    reply = await client.get("/v1/messages", key=NETWORKED)
    assert (reply.status, reply.code) == (403, "network_not_allowed")


async def test_the_life_of_a_key(client: Client, rig: Rig) -> None:
    made = await client.post(
        "/v1/keys",
        {
            "account": "shop",
            "scopes": ["messages:read"],
            "networks": ["127.0.0.0/8", "::1/128"],
            "expires_at": "2026-11-18T12:06:40Z",
            "name": "till",
        },
        key=ADMIN,
    )
    assert made.status == 201
    secret = made.json["key"]
    assert secret.startswith("ak_") and len(secret) >= 46
    assert secret.startswith(made.json["prefix"]) and len(made.json["prefix"]) < 12
    assert (await client.get("/v1/messages", key=secret)).status == 200
    listed = (await client.get("/v1/keys?account=shop", key=ADMIN)).json["data"]
    assert [one["name"] for one in listed] == ["till"]
    assert secret not in str(listed)
    assert (await client.get("/v1/keys?account=other", key=ADMIN)).json["data"] == []
    rig.clock.move(3600)
    assert (await client.get("/v1/messages", key=secret)).code == "expired_key"


async def test_a_revoked_key_dies_at_once(client: Client) -> None:
    made = await client.post(
        "/v1/keys", {"account": "other", "scopes": ["messages:read"]}, key=ADMIN
    )
    secret, identifier = made.json["key"], made.json["id"]
    assert (await client.get("/v1/messages", key=secret)).status == 200
    for _ in range(2):
        reply = await client.call("DELETE", f"/v1/keys/{identifier}", key=ADMIN)
        assert reply.json["revoked_at"] == "2026-11-18T11:06:40Z"
    assert (await client.get("/v1/messages", key=secret)).code == "revoked_key"
    reply = await client.call("DELETE", "/v1/keys/key_0000000000000", key=ADMIN)
    assert reply.code == "not_found"


async def test_a_key_changed_elsewhere_is_noticed(client: Client, rig: Rig) -> None:
    secret = make_key()
    assert (await client.get("/v1/messages", key=secret)).code == "invalid_key"
    key = ApiKey(7, digest_of(secret), prefix_of(secret), "shop", ("messages:read",))
    await rig.store.put_key(key)
    rig.clock.move(TTL / SECOND)
    assert (await client.get("/v1/messages", key=secret)).status == 200
    await rig.store.put_key(msgspec.structs.replace(key, revoked=NOW))
    assert (await client.get("/v1/messages", key=secret)).status == 200
    rig.clock.move(TTL / SECOND)
    assert (await client.get("/v1/messages", key=secret)).code == "revoked_key"


async def test_a_key_of_an_account_that_is_gone(client: Client, rig: Rig) -> None:
    secret = make_key()
    await rig.store.put_key(ApiKey(8, digest_of(secret), "ak_", "gone", ("messages:read",)))
    reply = await client.get("/v1/messages", key=secret)
    assert (reply.status, reply.code) == (403, "account_unknown")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"account": "nobody"}, "#/account"),
        ({"scopes": []}, "#/scopes"),
        ({"scopes": ["root"]}, "#/scopes/0"),
        ({"networks": ["10.0.0.1/8"]}, "#/networks/0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at"),
    ],
)
async def test_keys_that_cannot_be_made(
    client: Client, change: dict[str, Any], pointer: str
) -> None:
    body = {"account": "shop", "scopes": ["admin"], **change}
    reply = await client.post("/v1/keys", body, key=ADMIN)
    assert (reply.status, reply.code) == (422, "invalid_value")
    assert reply.json["errors"][0]["pointer"] == pointer


async def test_no_key_in_the_log(
    client: Client, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def broken(*_: object) -> None:
        raise RuntimeError("a bug of ours")

    rig.store.search = broken  # type: ignore[method-assign, assignment]
    reply = await client.get("/v1/messages")
    assert (reply.status, reply.code) == (500, "internal_error")
    assert "bug" not in reply.body.decode()
    await client.get("/v1/messages", key="ak_guessed_and_wrong")
    assert "a bug of ours" in caplog.text
    assert KEY not in caplog.text and "ak_guessed" not in caplog.text


def keyring(*keys: Key) -> Keyring:
    settings = Settings(account=(Account(name="shop", keys=keys),))
    return Keyring(settings, None, lambda: NOW)  # type: ignore[arg-type]


def test_configured_by_hash_or_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "ak_env")
    keys = keyring(Key(hash=hashlib.sha256(b"ak_hashed").hexdigest()), Key(env="SHOP_KEY"))
    for value in ("ak_hashed", "ak_env"):
        identity = keys.recall(f"Bearer {value}", NOW)
        assert not isinstance(identity, bytes)
        assert identity.account.name == "shop"
    monkeypatch.delenv("SHOP_KEY")
    with pytest.raises(ConfigError, match="SHOP_KEY"):
        keyring(Key(env="SHOP_KEY"))


def test_keys_are_256_random_bits() -> None:
    keys = {make_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(len(key) == len("ak_") + 52 for key in keys)
