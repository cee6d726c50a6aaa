"""Opt-outs over HTTP: recorded, obeyed, taken back, listed, carried in and out by the thousand."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.errors import StoreUnavailable
from gateway.ingress.http import optouts, optouts_import
from gateway.ingress.http.tally import Tally
from gateway.store.ledgers import OptOutView
from gateway.store.messages import OptOut
from tests.ingress.client import KEY, Client, Reply
from tests.ingress.conftest import ADMIN, NOW, Rig

NDJSON = "application/x-ndjson"
CSV = "text/csv"
PATH = "/v1/optouts"
IMPORT = "/v1/optouts/import"
NUMBER = "+79161234567"
MESSAGE = {"from": "ACME", "to": NUMBER, "text": "x"}


def number(n: int) -> str:
    return f"+7916{1_000_000 + n}"


async def entries(client: Client, query: str = "") -> list[Any]:
    data: list[Any] = (await client.get(f"{PATH}?limit=1000{query}")).json["data"]
    return data


async def send_csv(client: Client, text: str, **options: Any) -> Reply:
    return await client.post(IMPORT, text.encode(), media=CSV, **options)


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_an_opt_out_cancels_and_bars(client: Client) -> None:
    sent = (await client.post("/v1/messages", MESSAGE)).json["id"]
    reply = await client.post(PATH, {"number": NUMBER, "sender": "ACME"})
    assert reply.json == {"number": NUMBER, "sender": "ACME", "category": "*", "canceled": 1}
    assert (await client.get(f"/v1/messages/{sent}")).json["reason"]["code"] == "opted_out"
    assert (await client.post("/v1/messages", MESSAGE)).code == "opted_out"
    assert (await client.post("/v1/messages", {**MESSAGE, "from": "acme"})).code == "opted_out"
    assert (await client.post("/v1/messages", {**MESSAGE, "from": "BETA"})).status == 202


async def test_a_hard_block_holds_for_every_category(client: Client) -> None:
    await client.post(PATH, {"number": NUMBER})
    for category in ("transactional", "service", "informational", "advertising"):
        reply = await client.post("/v1/messages", {**MESSAGE, "category": category})
        assert reply.code == "opted_out"


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"number": "0612"}, "invalid_number", "#/number"),
        ({"number": "0612345678"}, "invalid_number", "#/number"),
        ({"number": "Ivan"}, "invalid_number", "#/number"),
        ({"number": NUMBER, "sender": ""}, "invalid_value", "#/sender"),
        ({"number": NUMBER, "category": "spam"}, "invalid_value", "#/category"),
        ({"number": NUMBER, "at": "2027-11-18T11:06:40Z"}, "invalid_value", "#/at"),
        ({"number": NUMBER, "proof": "x" * 501}, "invalid_value", "#/proof"),
        ({"number": NUMBER, "proof": "a\0b"}, "invalid_text", "#/proof"),
        ({"sender": "ACME"}, "missing_field", "#/number"),
    ],
)
async def test_what_is_no_opt_out(client: Client, body: Any, code: str, pointer: str) -> None:
    reply = await client.post(PATH, body)
    assert (reply.status, reply.code) == (422, code)
    assert reply.json["errors"][0]["pointer"] == pointer
    assert body.get("number") not in (NUMBER, None) or NUMBER not in reply.body.decode()
    if body.get("number", "").isdigit() and len(body["number"]) > 8:
        assert body["number"] not in reply.body.decode()
        assert "+0612****678" in reply.json["detail"]
    assert "Ivan" not in reply.body.decode()
    assert await entries(client) == []


async def test_its_proof_and_time_are_kept_and_the_first_stands(client: Client) -> None:
    first = {"number": NUMBER, "at": "2026-11-01T10:00:00+03:00", "proof": "please, no more",
             "source": "call 17"}  # fmt: skip
    await client.post(PATH, first)
    await client.post(PATH, {**first, "proof": "another"})
    (entry,) = await entries(client)
    assert entry["at"] == "2026-11-01T07:00:00Z"
    assert entry["source"] == "api"
    actor = entry["proof"].pop("actor")
    assert KEY not in actor and actor
    assert entry["proof"] == {"text": "please, no more", "where": "call 17"}
    assert (entry["removed_at"], entry["sender"]) == (None, "*")


async def test_taking_back_is_idempotent_and_leaves_a_trace(client: Client) -> None:
    await client.post(PATH, {"number": NUMBER, "sender": "ACME"})
    await client.post(PATH, {"number": NUMBER, "sender": "BETA", "category": "service"})
    body = {"number": NUMBER, "sender": "beta", "category": "advertising"}
    assert (await client.call("DELETE", PATH, body)).json["removed"] == 0
    for removed in (1, 0):
        reply = await client.call("DELETE", PATH, {"number": NUMBER, "sender": "Acme"})
        assert reply.json == {
            "number": NUMBER, "sender": "Acme", "category": "*", "removed": removed,
        }  # fmt: skip
    assert (await client.post("/v1/messages", MESSAGE)).status == 202
    assert [one["sender"] for one in await entries(client)] == ["beta"]
    told = await entries(client, "&removed=true")
    assert [(one["sender"], one["removed_at"] is None) for one in told] == [
        ("beta", True), ("acme", False),
    ]  # fmt: skip
    assert (await client.call("DELETE", PATH, {"number": "x"})).code == "invalid_number"
    assert (await client.call("DELETE", PATH, {"number": NUMBER})).json["removed"] == 1
    assert await entries(client) == []


async def test_pages_in_order_of_change(client: Client) -> None:
    for n in range(7):
        await client.post(PATH, {"number": number(n)})
    await client.call("DELETE", PATH, {"number": number(2)})
    await client.post(PATH, {"number": number(0), "sender": "ACME"})
    seen: list[str] = []
    query = "limit=3"
    while True:
        page = await client.get(f"{PATH}?{query}")
        seen += [one["number"] for one in page.json["data"]]
        if page.json["next_cursor"] is None:
            break
        assert f"cursor={page.json['next_cursor']}" in page.headers["Link"]
        query = f"limit=3&cursor={page.json['next_cursor']}"
    assert seen == [number(n) for n in (0, 1, 3, 4, 5, 6, 0)]
    last = (await entries(client))[-2]["position"]
    newer = await entries(client, f"&since={last}&removed=true")
    assert [one["number"] for one in newer] == [number(2), number(0)]
    assert await entries(client, f"&since={newer[-1]['position']}") == []
    assert len(await entries(client, f"&number=%2B{number(0)[1:]}")) == 2


@pytest.mark.parametrize(
    "query", ["since=1", "removed=yes", "number=0612345678", "limit=0", "account=other", "x=1"]
)
async def test_parameters_are_checked(client: Client, query: str) -> None:
    reply = await client.get(f"{PATH}?{query}")
    assert (reply.status, reply.code) == (400, "invalid_parameter")


async def test_everyones_opt_outs_need_an_administrator(client: Client) -> None:
    made = await client.post(
        "/v1/keys", {"account": "shop", "scopes": ["optouts", "admin"]}, key=ADMIN
    )
    both = made.json["key"]
    everyone = f"{PATH}?account=*"
    for method, body in (("GET", None), ("POST", {"number": NUMBER}), ("DELETE", {"number": "1"})):
        reply = await client.call(method, everyone, body)
        assert (reply.status, reply.code) == (403, "missing_scope")
    reply = await client.post(f"{IMPORT}?account=*", b"number\n", media=CSV)
    assert reply.code == "missing_scope"
    sent = (await client.post("/v1/messages", MESSAGE)).json["id"]
    assert (await client.post(everyone, {"number": NUMBER}, key=both)).json["canceled"] == 1
    assert (await client.get(f"/v1/messages/{sent}")).json["status"] == "canceled"
    assert (await client.post("/v1/messages", MESSAGE)).code == "opted_out"
    assert await entries(client) == []
    assert len((await client.get(everyone, key=both)).json["data"]) == 1
    assert (await client.call("DELETE", PATH, {"number": NUMBER})).json["removed"] == 0
    assert (await client.call("DELETE", everyone, {"number": NUMBER}, key=both)).json["removed"]
    assert (await client.post("/v1/messages", MESSAGE)).status == 202
    text = f"number\n{NUMBER}\n"
    reply = await client.post(f"{IMPORT}?account=*", text.encode(), media=CSV, key=both)
    assert reply.json["counts"]["recorded"] == 1
    assert (await client.post("/v1/messages", MESSAGE)).code == "opted_out"


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_an_import_of_csv(client: Client, size: int) -> None:
    text = (
        "\ufeffnumber;sender;category;at;source\r\n"
        f"{number(0)};;;;\r\n"
        f"{number(1)[1:]};ACME;service;2026-11-01T10:00:00Z;old platform\r\n"
        f'"{number(2)}";"ACME";"*";"";""\r\n'
    )
    reply = await client.post(IMPORT, pieces(text.encode(), size), media=CSV)
    assert reply.json == {
        "counts": {"recorded": 3, "known": 0, "malformed": 0}, "canceled": 0, "problems": [],
    }  # fmt: skip
    found = await entries(client)
    assert [(one["number"], one["sender"], one["category"]) for one in found] == [
        (number(0), "*", "*"), (number(1), "acme", "service"), (number(2), "acme", "*"),
    ]  # fmt: skip
    assert found[1]["at"] == "2026-11-01T10:00:00Z"
    assert found[1]["proof"]["where"] == "old platform"
    assert {one["source"] for one in found} == {"import"}
    reply = await client.post(IMPORT, text.encode(), media=CSV)
    assert reply.json["counts"] == {"recorded": 0, "known": 3, "malformed": 0}


async def test_broken_lines_are_told_by_number_and_the_rest_goes_on(client: Client) -> None:
    lines = [
        "number,sender,category,at,removed_at",
        f"{number(0)},ACME,,,",
        "0612345678,,,,",
        f"{number(1)},,promo,,",
        f"{number(2)},,,yesterday,",
        f"{number(3)},,,2031-01-01T00:00:00Z,",
        f"{number(4)},,,,2026-11-01T00:00:00Z",
        f"{number(5)},{'x' * 65},,,",
        f"{number(6)}",
        "",
        f"{number(7)},,,,",
    ]
    reply = await send_csv(client, "\n".join(lines))
    assert reply.json["counts"] == {"recorded": 2, "known": 0, "malformed": 7}
    told = {one["line"]: (one["code"], one["detail"]) for one in reply.json["problems"]}
    assert list(told) == [3, 4, 5, 6, 7, 8, 9]
    assert told[3] == (
        "invalid_number",
        "`number`: 10 characters (+0612****678); it is not in international form",
    )
    assert told[4][1].startswith("`category`: one of *, transactional")
    assert told[5][1] == "`at` is an RFC 3339 time with an offset"
    assert told[6][1] == optouts_import.IN_FUTURE
    assert told[8][1] == "`sender`: 65 characters are too many"
    assert told[9][1] == "1 columns; the header row has 5"
    assert "promo" not in reply.body.decode() and number(4) not in reply.body.decode()
    assert {one["number"] for one in await entries(client)} == {number(0), number(7)}


async def test_an_import_of_ndjson(client: Client, rig: Rig) -> None:
    body = b"\n".join(
        [b'{"number":"%s","sender":"ACME","proof":"said so"}' % number(0).encode(),
         b'{"number":"12"}', b'{"number":"%s","to":"x"}' % number(1).encode(), b"{", b"",
         b'{"number":"%s"}' % number(2).encode()]
    )  # fmt: skip
    reply = await client.post(IMPORT, body, media=NDJSON)
    assert reply.json["counts"] == {"recorded": 2, "known": 0, "malformed": 3}
    assert [(one["line"], one["code"]) for one in reply.json["problems"]] == [
        (2, "invalid_number"), (3, "unknown_field"), (4, "malformed_json"),
    ]  # fmt: skip
    assert (await entries(client))[0]["proof"]["text"] == "said so"


@pytest.mark.parametrize(
    ("body", "media", "code"),
    [
        ("number\n+79161234567\n".encode("utf-16"), CSV, "invalid_utf8"),
        ('{"number":"+79161234567"}'.encode("utf-16"), NDJSON, "invalid_utf8"),
        ("nümber\n+79161234567\n".encode("latin-1"), CSV, "invalid_header_row"),
        (b"to\n+79161234567\n", CSV, "invalid_header_row"),
        (b"number,name\n+79161234567,Ivan\n", CSV, "invalid_header_row"),
        (b"", CSV, "empty_body"),
    ],
)
async def test_what_cannot_be_read_is_refused_as_a_whole(
    client: Client, body: bytes, media: str, code: str
) -> None:
    reply = await client.post(IMPORT, body, media=media)
    assert reply.code == code
    assert await entries(client) == []


async def test_a_latin_1_line_is_told_and_the_rest_goes_on(client: Client) -> None:
    body = b"number,sender\n" + f"{number(0)},K\xe4se\n".encode("latin-1")
    reply = await client.post(IMPORT, body + f"{number(1)},Käse\n".encode(), media=CSV)
    assert [(one["line"], one["code"]) for one in reply.json["problems"]] == [(2, "invalid_utf8")]
    assert (await entries(client))[0]["sender"] == "käse"
    reply = await client.post(IMPORT, body, media="text/csv; charset=latin-1")
    assert reply.code == "unsupported_media_type"


async def test_an_import_cancels_what_waits(client: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(optouts_import, "LIST", 50)
    made = await client.post(
        "/v1/batches",
        {"from": "ACME", "text": "x", "recipients": [{"to": number(n)} for n in range(300)]},
    )
    text = "number\n" + "\n".join(number(n) for n in reversed(range(100, 250)))
    reply = await send_csv(client, text)
    assert reply.json["counts"]["recorded"] == 150
    assert reply.json["canceled"] == 150
    path = f"/v1/batches/{made.json['id']}/recipients?status=queued&limit=1000"
    assert len((await client.get(path)).json["data"]) == 150
    assert (await client.get(path.replace("queued", "canceled"))).json["next_cursor"] is None


async def test_what_was_recorded_before_a_failure_is_obeyed(
    client: Client, rig: Rig, monkeypatch: Any
) -> None:
    monkeypatch.setattr(optouts_import, "LIST", 10)
    sent = (await client.post("/v1/messages", {**MESSAGE, "to": number(3)})).json["id"]
    record = rig.store.import_opt_outs
    calls = 0

    async def fails(given: list[OptOut]) -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise StoreUnavailable("full")
        return await record(given)

    monkeypatch.setattr(rig.store, "import_opt_outs", fails)
    text = "number\nbroken\n" + "\n".join(number(n) for n in range(100))
    reply = await send_csv(client, text)
    assert (reply.status, reply.code) == (503, "store_unavailable")
    assert reply.json["counts"] == {"accepted": 20, "ineligible": 0, "malformed": 1}
    assert len(await entries(client)) == 20
    assert (await client.get(f"/v1/messages/{sent}")).json["status"] == "canceled"


class Watched(set[str]):
    """A set that tells when something is put into it."""

    def __init__(self) -> None:
        super().__init__()
        self.put = asyncio.Event()

    def add(self, element: str) -> None:
        super().add(element)
        self.put.set()


async def test_one_import_of_an_account_at_a_time(client: Client, rig: Rig) -> None:
    importing = rig.api._service.importing = Watched()
    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield f"number\n{number(0)}\n".encode()
        await go_on.wait()
        yield f"{number(1)}\n".encode()

    first = asyncio.create_task(client.post(IMPORT, body(), media=CSV))
    await importing.put.wait()
    second = await send_csv(client, f"number\n{number(2)}\n")
    assert (second.status, second.code) == (409, "upload_in_flight")
    assert second.headers["Retry-After"] == "1"
    go_on.set()
    assert (await first).json["counts"]["recorded"] == 2
    assert (await send_csv(client, f"number\n{number(2)}\n")).json["counts"]["recorded"] == 1


@pytest.mark.parametrize("removed", [False, True])
async def test_an_export_is_whole_and_can_be_imported(
    client: Client, rig: Rig, monkeypatch: Any, removed: bool
) -> None:
    monkeypatch.setattr(optouts, "PAGE", 100)
    await rig.store.import_opt_outs(
        [OptOut("shop", int(number(n)[1:]), "*", "*", NOW, "import") for n in range(1_234)]
    )
    await client.post(PATH, {"number": NUMBER, "sender": 'A"B', "proof": "a,b\nc"})
    await client.call("DELETE", PATH, {"number": number(7)})
    query = f"{PATH}?removed={str(removed).lower()}"
    lines = (await client.get(query, headers={"Accept": NDJSON})).lines
    reply = await client.get(query, headers={"Accept": CSV})
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert len(lines) == len(rows) == 1_234 + removed
    assert [one["number"] for one in lines] == [row["number"] for row in rows]
    assert sum(one["removed_at"] is not None for one in lines) == removed
    last = rows[-1 - removed]
    assert (last["number"], last["sender"]) == (NUMBER, 'a"b')
    assert json.loads(last["proof"])["text"] == "a,b\nc"
    again = await client.post(IMPORT, reply.body, media=CSV)
    assert again.json["counts"] == {"recorded": 0, "known": 1_234, "malformed": int(removed)}


async def test_an_empty_export(client: Client) -> None:
    assert (await client.get(PATH, headers={"Accept": NDJSON})).body == b""
    reply = await client.get(PATH, headers={"Accept": CSV})
    assert reply.body == b"number,sender,category,at,source,proof,removed_at\r\n"


async def test_a_reader_who_goes_away_ends_the_export(
    client: Client, rig: Rig, monkeypatch: Any
) -> None:
    await rig.store.import_opt_outs(
        [OptOut("shop", int(number(n)[1:]), "*", "*", NOW, "import") for n in range(50_000)]
    )
    asked, ended = asyncio.Event(), asyncio.Event()
    read, request = rig.store.opt_outs, Tally.request

    async def opt_outs(*given: Any, **more: Any) -> list[OptOutView]:
        asked.set()
        return await read(*given, **more)

    def counted(tally: Tally, label: str, method: str, status: int, seconds: float) -> None:
        request(tally, label, method, status, seconds)
        ended.set()

    monkeypatch.setattr(rig.store, "opt_outs", opt_outs)
    monkeypatch.setattr(Tally, "request", counted)
    with socket.create_connection(("127.0.0.1", rig.api.port)) as connection:
        connection.sendall(
            f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAccept: {NDJSON}\r\n"
            f"Authorization: Bearer {KEY}\r\n\r\n".encode()
        )
        await asked.wait()
    await asyncio.wait_for(ended.wait(), 60)
    assert rig.api.active == 0
    assert len(await entries(client)) == 1_000
