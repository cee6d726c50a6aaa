"""Keywords of an account's own over HTTP, and what a reply would do."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ingress.http import keywords
from gateway.store.messages import InboundPart, OptOut
from tests.ingress.client import Client
from tests.ingress.conftest import BARE, NOW, OTHER, Rig

PRICES: dict[str, Any] = {
    "match": "contains", "pattern": "price", "reply": "From 5 EUR", "webhook": True,
}  # fmt: skip
PHONE = "+79161234567"
OURS = "+4915112345678"


async def trial(client: Client, text: str, number: str = PHONE, **more: Any) -> Any:
    body = {"text": text, "number": number, "sender": OURS, **more}
    reply = await client.post("/v1/keywords/test", body)
    assert reply.status == 200, reply.json
    return reply.json


async def test_a_keyword_lives(client: Client, rig: Rig) -> None:
    made = await client.post(
        "/v1/keywords", {"name": "prices", **PRICES, "senders": [OURS, OURS], "priority": 3}
    )
    assert made.status == 201
    assert made.json == {
        "name": "prices", **PRICES, "senders": ["4915112345678"], "language": None, "priority": 3,
        "disabled": None, "version": 1, "updated_at": made.json["updated_at"],
        "updated_by": made.json["updated_by"],
    }  # fmt: skip
    assert (await client.post("/v1/keywords", {"name": "prices", **PRICES})).code == "wrong_state"
    assert (await client.get("/v1/keywords/prices")).json == made.json
    (outcome,) = (await trial(client, "What PRICE?"))["outcomes"]
    assert (outcome["kind"], outcome["word"], outcome["event"]) == ("rule", "prices", True)
    put = await client.call("PUT", "/v1/keywords/prices", {"match": "exact", "pattern": "cost"})
    assert (put.status, put.json["version"], put.json["reply"]) == (200, 2, None)
    assert (await trial(client, "What PRICE?"))["outcomes"] == []
    assert [one["name"] for one in (await client.get("/v1/keywords")).json["data"]] == ["prices"]
    assert (await client.call("DELETE", "/v1/keywords/prices")).status == 204
    assert (await client.call("DELETE", "/v1/keywords/prices")).code == "not_found"
    assert (await client.get("/v1/keywords/prices")).code == "not_found"
    trail = await rig.store.audit("shop", 10, action="keyword.")
    assert [one.action for one in trail] == ["keyword.delete", "keyword.put", "keyword.put"]


async def test_keywords_are_the_accounts_own(client: Client, rig: Rig) -> None:
    await client.post("/v1/keywords", {"name": "prices", **PRICES})
    assert (await client.get("/v1/keywords", key=OTHER)).code == "missing_scope"
    assert (await client.get("/v1/keywords", key=BARE)).status == 200
    assert rig.returns.listening.outcomes("other", "price", 79161234567, "4915112345678") == []


@pytest.mark.parametrize(
    ("changes", "pointer", "says"),
    [
        ({"match": "regex", "pattern": "a(b"}, "#/pattern", "missing ) at position 3"),
        ({"match": "regex", "pattern": "[z-a]"}, "#/pattern", "at position 4"),
        ({"match": "regex", "pattern": "((a{99}){99}){99}"}, "#/pattern", "multiply to"),
        ({"pattern": "?!"}, "#/pattern", "at least one letter or digit"),
        ({"pattern": "x" * 201}, "#/pattern", "got 201"),
        ({"match": "exact", "pattern": "Stop!"}, "#/pattern", "it means stop for every account"),
        ({"match": "prefix", "pattern": "HELP me"}, "#/pattern", "it means help"),
        ({"match": "exact", "pattern": "старт"}, "#/pattern", "it means start"),
        ({"match": "glob"}, "#/match", "one of"),
        ({"reply": "Hi {{name}}"}, "#/reply", "no placeholders"),
        ({"reply": "я" * 671}, "#/reply", "11 parts; it has at most 10"),
        ({"reply": ""}, "#/reply", "got 0"),
        ({"language": "english"}, "#/language", "`language`"),
        ({"priority": 1001}, "#/priority", "`priority`"),
        ({"name": "test"}, "#/name", "`test` is no name"),
        ({"name": "ä"}, "#/name", "`name`"),
        ({"who": 1}, "#/who", "there is no field"),
    ],
)
async def test_what_no_keyword_can_be(
    client: Client, changes: dict[str, Any], pointer: str, says: str
) -> None:
    reply = await client.post("/v1/keywords", {"name": "prices", **PRICES, **changes})
    assert reply.status == 422
    (error,) = reply.json["errors"]
    assert error["pointer"] == pointer
    assert says in error["detail"]
    assert (await client.get("/v1/keywords")).json["data"] == []


async def test_an_account_has_only_so_many(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keywords, "MOST_RULES", 2)
    for name in ("a", "b"):
        assert (await client.call("PUT", f"/v1/keywords/{name}", PRICES)).status == 200
    assert (await client.call("PUT", "/v1/keywords/c", PRICES)).code == "wrong_state"
    assert (await client.call("PUT", "/v1/keywords/b", PRICES)).status == 200


async def test_a_reply_is_tried_out_and_nothing_happens(client: Client, rig: Rig) -> None:
    (stop,) = (await trial(client, "Стоп!"))["outcomes"]
    assert {key: stop[key] for key in ("when", "kind", "word", "language", "unanswered")} == {
        "when": "otherwise", "kind": "stop", "word": "СТОП", "language": "ru", "unanswered": None,
    }  # fmt: skip
    assert "СТАРТ" in stop["answer"]
    yes = await trial(client, "yes")
    assert [(one["when"], one["kind"]) for one in yes["outcomes"]] == [("refusing", "start")]
    assert yes["refusing"] is False
    await rig.store.opt_out([OptOut("shop", 79161234567, OURS.lstrip("+"), "*", NOW, "api")])
    assert (await trial(client, "yes"))["refusing"] is True
    (help_,) = (await trial(client, "HELP", number="+12345"))["outcomes"]
    assert help_["unanswered"] == "short_code"
    assert await rig.store.inbound_messages("shop", 10) == []
    reply = await client.post("/v1/keywords/test", {"text": "x", "number": "0612", "sender": OURS})
    assert (reply.code, reply.json["errors"][0]["pointer"]) == ("invalid_number", "#/number")


async def test_replies_tell_their_keyword(client: Client, rig: Rig) -> None:
    await rig.store.inbound(
        [InboundPart("op", PHONE, OURS, text, NOW, "shop") for text in ("Hi", "opt out")]
    )
    stop, hello = (await client.get("/v1/inbound")).json["data"]
    assert stop["keyword"] == {"kind": "stop", "word": "OPTOUT", "language": "en"}
    assert hello["keyword"] is None
