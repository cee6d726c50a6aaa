"""Stop-word lists through the API, to their effect on messages."""

from __future__ import annotations

from typing import Any

import pytest

from config.policies import Policy
from gateway.ingress.http import stopwords
from gateway.store.registry import EVERYBODY, Kind
from tests.ingress.client import Client
from tests.ingress.conftest import ADMIN, CHIEF, KEY, MODERATOR, Rig

LIST = {
    "language": "ru",
    "about": "ours",
    "on_match": "hold",
    "classes": [
        {
            "name": "gambling",
            "as_of": "2026-11-26",
            "source": "Contract 15, annex 2",
            "entries": ["казино", "ставк*"],
            "exceptions": ["казино рояль"],
        }
    ],
}
MINE = "/v1/stopwords/mine"
MESSAGE = {"from": "ACME", "to": "+79161234567", "text": "Лучшее К.А.3.И.Н.0 города"}


@pytest.fixture
async def client(rig: Rig) -> Any:
    async with rig.client(MODERATOR) as client:
        yield client


async def test_a_list_is_put_read_and_deleted(client: Client, rig: Rig) -> None:
    stored = await client.call("PUT", MINE, LIST)
    assert stored.json == {
        "name": "mine", "account": "shop", "version": 1, "entries": 2,
        "updated_at": "2026-11-18T11:06:40Z",
    }  # fmt: skip
    whole = (await client.get(MINE)).json
    assert whole == {
        "name": "mine", "account": "shop", "origin": "api", "version": "1", **LIST
    }  # fmt: skip
    (listed,) = (await client.get("/v1/stopwords")).json["data"]
    assert (listed["name"], listed["version"], listed["entries"], listed["applies"]) == (
        "mine", "1", 2, True,
    )  # fmt: skip
    assert listed["classes"] == [
        {
            "name": "gambling", "entries": 2, "exceptions": 1, "as_of": "2026-11-26",
            "source": "Contract 15, annex 2",
        }
    ]  # fmt: skip
    assert (await client.call("PUT", MINE, LIST)).json["version"] == 2
    assert (await client.call("DELETE", MINE)).status == 204
    assert (await client.get(MINE)).status == (await client.call("DELETE", MINE)).status == 404
    assert (await client.get("/v1/stopwords")).json["data"] == []
    trail = [one.action for one in await rig.store.audit("shop", 10, action="stopwords.")]
    assert trail == ["stopwords.delete", "stopwords.put", "stopwords.put"]


async def test_what_it_finds_waits_at_once(client: Client) -> None:
    sent = await client.post("/v1/messages", MESSAGE, key=KEY)
    assert sent.json["status"] == "queued"
    await client.call("PUT", MINE, LIST)
    held = (await client.post("/v1/messages", MESSAGE, key=KEY)).json
    assert (held["status"], held["reason"]["code"]) == ("held_moderation", "stop_word")
    (item,) = (await client.get("/v1/moderation/items")).json["data"]
    assert (item["text"], item["words"]) == (MESSAGE["text"], ["mine/gambling: казино"])
    approved = await client.post(f"/v1/moderation/items/{item['id']}/approve", {})
    assert approved.status == 200
    assert (await client.post("/v1/messages", MESSAGE, key=KEY)).json["status"] == "queued"
    await client.call("PUT", MINE, LIST)  # a new version: what was decided is asked again
    held = (await client.post("/v1/messages", MESSAGE, key=KEY)).json
    assert held["status"] == "held_moderation"
    (item,) = (await client.get("/v1/moderation/items?state=waiting")).json["data"]
    reason = {"reason": "no licence"}
    assert (await client.post(f"/v1/moderation/items/{item['id']}/reject", reason)).status == 200
    refused = await client.post("/v1/messages", MESSAGE, key=KEY)
    assert (refused.status, refused.code) == (422, "moderation_rejected")


async def test_a_list_that_rejects(client: Client) -> None:
    await client.call("PUT", MINE, {**LIST, "on_match": "reject"})
    refused = await client.post("/v1/messages", MESSAGE, key=KEY)
    assert (refused.status, refused.code) == (422, "stop_word")
    assert refused.json["errors"][0]["pointer"] == "#/text"
    assert "К.А" not in refused.body.decode()


async def test_lists_for_everybody_take_the_scope_admin(client: Client, rig: Rig) -> None:
    shared = "/v1/stopwords/all?account=*"
    for method, body in (("PUT", LIST), ("GET", None), ("DELETE", None)):
        refused = await client.call(method, shared, body)
        assert (refused.status, refused.code) == (403, "missing_scope")
    assert (await client.call("PUT", shared, LIST, key=CHIEF)).json["account"] == EVERYBODY
    assert len(await rig.store.entries(Kind.STOPWORDS, EVERYBODY)) == 1
    (listed,) = (await client.get("/v1/stopwords")).json["data"]
    assert (listed["name"], listed["account"], listed["entries"]) == ("all", EVERYBODY, 2)
    refused = await client.get("/v1/stopwords/all")
    assert (refused.status, refused.code) == (403, "missing_scope")
    assert (await client.get("/v1/stopwords/all", key=ADMIN)).json["classes"] == LIST["classes"]
    held = (await client.post("/v1/messages", MESSAGE, key=KEY)).json
    assert held["status"] == "held_moderation"
    refused = await client.call("PUT", "/v1/stopwords/x?account=nobody", LIST, key=CHIEF)
    assert (refused.status, refused.code) == (400, "invalid_parameter")


async def test_imports_and_exports(client: Client) -> None:
    text = "казино\n[credit] 2026-11-26 Law\nкредит*\n!кредит доверия\n".encode("utf-8-sig")
    path = f"{MINE}?language=ru&class=gambling&on_match=reject"
    assert (await client.call("PUT", path, text, media="text/plain")).json["entries"] == 2
    exported = await client.get(MINE, headers={"Accept": "text/plain"})
    assert exported.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert exported.body.decode() == (
        "[gambling]\nказино\n[credit] 2026-11-26 Law\nкредит*\n!кредит доверия\n"
    )
    sheet = await client.get(MINE, headers={"Accept": "text/csv"})
    assert sheet.body.decode().splitlines()[2] == "credit,кредит*,,2026-11-26,Law"
    again = await client.call("PUT", MINE, sheet.body, media="text/csv; charset=utf-8")
    assert again.json["version"] == 2
    whole = (await client.get(MINE)).json
    assert (whole["language"], whole["on_match"]) == ("ru", "reject")
    assert whole["classes"][1]["exceptions"] == ["кредит доверия"]


@pytest.mark.parametrize(
    ("media", "body", "code", "told"),
    [
        ("text/plain", "казино\nя\n", "invalid_value", "line 2: 1 letters"),
        ("text/plain", "казино\n# x\nКАЗИНО", "invalid_value", "line 3: looks the same as"),
        ("text/csv", "word\nказино", "invalid_header_row", "no column `entry`"),
        ("text/csv", "entry,exception\nx,maybe", "invalid_value", "line 2: `exception`"),
    ],
)
async def test_imports_that_cannot_be_used(
    client: Client, media: str, body: str, code: str, told: str
) -> None:
    reply = await client.call("PUT", MINE, body.encode(), media=media)
    assert (reply.status, reply.code) == (422, code)
    assert told in reply.json["detail"]
    assert (await client.get("/v1/stopwords")).json["data"] == []


async def test_other_encodings_are_told(client: Client) -> None:
    reply = await client.call("PUT", MINE, "казино".encode("cp1251"), media="text/plain")
    assert (reply.status, reply.code) == (400, "invalid_utf8")
    assert "save the file as UTF-8" in reply.json["detail"]
    reply = await client.call("PUT", MINE, b"x", media="text/plain; charset=windows-1251")
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


async def test_lists_that_cannot_be_used(client: Client) -> None:
    group = {"name": "any", "entries": ["казино", "", "ставк* на спорт", "kазино"]}
    reply = await client.call("PUT", MINE, {"language": "ru", "classes": [group]})
    assert (reply.status, reply.code) == (422, "invalid_value")
    assert [one["pointer"] for one in reply.json["errors"]] == [
        f"#/classes/0/entries/{place}" for place in (1, 2, 3)
    ]
    assert "ставк" not in reply.body.decode()
    for path, body, code in (
        (MINE, {"language": "ru"}, "missing_field"),
        (MINE, {**LIST, "words": []}, "unknown_field"),
        (MINE, {**LIST, "language": "russian"}, "invalid_value"),
        (f"{MINE}?class=x", LIST, "invalid_parameter"),
        ("/v1/stopwords/-x", LIST, "invalid_parameter"),
    ):
        assert (await client.call("PUT", path, body)).code == code
    reply = await client.call("PUT", "/v1/stopwords/check", LIST)
    assert reply.status == 405


async def test_there_are_limits(client: Client, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwords, "MOST_LISTS", 2)
    monkeypatch.setattr(stopwords, "MOST_ENTRIES", 5)
    for name in ("a", "b"):
        assert (await client.call("PUT", f"/v1/stopwords/{name}", LIST)).status == 200
    reply = await client.call("PUT", MINE, LIST)
    assert (reply.status, reply.code) == (409, "wrong_state")
    more = {**LIST, "classes": [{"name": "x", "entries": ["aaa", "bbb", "ccc", "ddd"]}]}
    reply = await client.call("PUT", "/v1/stopwords/a", more)
    assert "6 entries together, at most 5" in reply.json["detail"]
    assert (await client.call("PUT", "/v1/stopwords/b", LIST)).json["version"] == 2


async def test_a_list_of_twenty_thousand_entries_is_one_request(client: Client, rig: Rig) -> None:
    text = "\n".join(f"слово{n:05} стоп" for n in range(20_000)).encode()
    stored = await client.call("PUT", MINE, text, media="text/plain")
    assert stored.json["entries"] == 20_000
    held = (
        await client.post("/v1/messages", {**MESSAGE, "text": "Вот слово12345 стоп"}, key=KEY)
    ).json
    assert held["status"] == "held_moderation"


async def test_a_text_is_tried_out(client: Client) -> None:
    await client.call("PUT", MINE, LIST)
    reply = await client.post("/v1/stopwords/check", {"text": "СТАВКИ и к а з и н о"})
    assert reply.json == {
        "outcome": "hold",
        "data": [
            {
                "list": "mine", "class": "gambling", "entry": entry, "where": "text",
                "on_match": "hold",
            }
            for entry in ("ставк*", "казино")
        ],
    }  # fmt: skip
    reply = await client.post("/v1/stopwords/check", {"text": "Казино рояль", "from": "ACME"})
    assert reply.json == {"outcome": "pass", "data": []}
    await client.call("PUT", MINE, {**LIST, "on_match": "reject"})
    reply = await client.post("/v1/stopwords/check", {"from": "KA3uHO"})
    assert (reply.json["outcome"], reply.json["data"][0]["where"]) == ("reject", "from")


async def test_lists_of_files_are_listed_too(client: Client, rig: Rig) -> None:
    await rig.words.apply(Policy(stopwords=("ru",)))
    (listed,) = (await client.get("/v1/stopwords")).json["data"]
    assert (listed["name"], listed["origin"], listed["account"]) == ("ru", "file", EVERYBODY)
    whole = (await client.get("/v1/stopwords/ru", key=ADMIN)).json
    assert "казино" in whole["classes"][1]["entries"]
    assert (await client.call("DELETE", "/v1/stopwords/ru?account=*", key=ADMIN)).status == 404
