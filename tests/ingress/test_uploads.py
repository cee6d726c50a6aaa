from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gateway.errors import StoreUnavailable
from gateway.store.messages import StoredAnswer, Submission
from tests.ingress.client import Client, Reply
from tests.ingress.conftest import Rig

NDJSON = "application/x-ndjson"
CSV = "text/csv"


def number(n: int) -> str:
    return f"+7916{1_000_000 + n}"


def ndjson(count: int, first: int = 0) -> list[bytes]:
    return [b'{"to":"%s"}' % number(first + n).encode() for n in range(count)]


@pytest.fixture
async def path(client: Client) -> str:
    """The recipients of a fresh draft."""
    made = await client.post("/v1/batches", {"from": "ACME", "text": "Hello"})
    return f"/v1/batches/{made.json['id']}/recipients"


async def templated(client: Client) -> str:
    made = await client.post("/v1/batches", {"from": "ACME", "text": "{{name}}: {{n}}"})
    return f"/v1/batches/{made.json['id']}/recipients"


async def texts(client: Client, path: str) -> dict[str, str]:
    rows = (await client.get(path)).json["data"]
    return {row["to"]: row["text"] for row in rows}


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_a_broken_line_deep_in_a_stream(client: Client, path: str) -> None:
    lines = ndjson(5_000)
    lines[4_321] = b'{"to":"+7916'
    lines[1_500] = b'{"to":12}'
    lines[1_501] = b'{"number":"x"}'
    lines[2_000] = b'{"to":"x"}'
    lines[3_000] = b""
    reply = await client.post(path, b"\n".join(lines), media=NDJSON)
    assert reply.status == 200
    answer = reply.json
    assert answer["counts"] == {"accepted": 4_995, "ineligible": 1, "malformed": 3}
    told = {(one["line"], one["code"]) for one in answer["problems"]}
    assert told == {
        (4_322, "malformed_json"),
        (1_501, "invalid_type"),
        (1_502, "unknown_field"),
        (2_001, "invalid_number"),
    }
    view = (await client.get(path.removesuffix("/recipients"))).json
    assert view["counts"] == {"accepted": 4_995, "ineligible": 1}
    assert view["recipients"] == 4_996


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
async def test_cut_anywhere(client: Client, path: str, size: int) -> None:
    body = b"\xef\xbb\xbf" + b"\r\n".join(ndjson(40)) + b"\r\n"
    reply = await client.post(path, pieces(body, size), media=NDJSON)
    assert reply.json["counts"] == {"accepted": 40, "ineligible": 0, "malformed": 0}


async def test_the_list_of_problems_is_bounded_and_the_counts_are_exact(
    client: Client, path: str
) -> None:
    body = b"\n".join([b"nonsense"] * 700 + ndjson(3))
    reply = await client.post(path, body, media=NDJSON)
    assert reply.json["counts"] == {"accepted": 3, "ineligible": 0, "malformed": 700}
    assert len(reply.json["problems"]) == 100


async def test_every_kind_of_broken_line(client: Client, path: str) -> None:
    lines = [
        b'{"to":"\xff"}',
        rb'{"to":"\ud800"}',
        rb'{"to":"a\u0000"}',
        b"[" * 10_000,
        b'{"to":"' + b"1" * 70_000 + b'"}',
        b'{"to":"+79161000001"} {"to":"+79161000002"}',
        b'{"to":"+79161000003","client_ref":"' + b"r" * 200 + b'"}',
        b'{"to":"+79161000004"}',
    ]
    reply = await client.post(path, b"\n".join(lines), media=NDJSON)
    assert reply.json["counts"] == {"accepted": 1, "ineligible": 0, "malformed": 7}
    assert [(one["line"], one["code"]) for one in reply.json["problems"]] == [
        (1, "invalid_utf8"),
        (2, "lone_surrogate"),
        (3, "invalid_text"),
        (4, "invalid_type"),
        (5, "body_too_large"),
        (6, "malformed_json"),
        (7, "invalid_value"),
    ]


async def test_positions_and_duplicates_over_several_uploads(client: Client, path: str) -> None:
    await client.post(path, b"\n".join([*ndjson(1_500), b'{"to":"bad"}']), media=NDJSON)
    reply = await client.post(path, b"\n".join([*ndjson(1_600), b'{"to":"worse"}']), media=NDJSON)
    assert reply.json["counts"] == {"accepted": 100, "ineligible": 1_501, "malformed": 0}
    rows = (await client.get(f"{path}?status=ineligible&limit=1000")).json["data"]
    assert rows[0]["index"] == 1_500
    assert rows[0]["reason"]["code"] == "invalid_number"
    assert rows[1] == {**rows[1], "index": 1_501, "to": number(0)}
    assert rows[1]["reason"]["code"] == "duplicate"


async def test_csv(client: Client) -> None:
    path = await templated(client)
    body = (
        "client_ref,to,name,n\r\n"
        'r1,+79161000001,"Ivan ""the"" Great",1\r\n'
        'r2,+79161000002,"two\r\nlines, one comma",2\r\n'
        "\r\n"
        "r3,+79161000003,only three\r\n"
        "r4, +79161000004 ,Zoë,4\r\n"
        ',"+79161000005",plain,5'
    )
    reply = await client.post(path, body.encode(), media="text/csv; charset=utf-8")
    assert reply.json["counts"] == {"accepted": 4, "ineligible": 0, "malformed": 1}
    assert [(one["line"], one["code"]) for one in reply.json["problems"]] == [(6, "invalid_value")]
    assert await texts(client, path) == {
        "+79161000001": 'Ivan "the" Great: 1',
        "+79161000002": "two\nlines, one comma: 2",
        "+79161000004": "Zoë: 4",
        "+79161000005": "plain: 5",
    }
    references = {one["to"]: one["client_ref"] for one in (await client.get(path)).json["data"]}
    assert references["+79161000001"] == "r1"
    assert references["+79161000005"] is None


@pytest.mark.parametrize("size", [1, 5, 10_000])
async def test_semicolons_of_excel(client: Client, size: int) -> None:
    path = await templated(client)
    body = '\ufeffto;name;n\n+79161000001;Жанна;1\n+79161000002;"a;b";2\n'.encode()
    reply = await client.post(path, pieces(body, size), media=CSV)
    assert reply.json["counts"]["accepted"] == 2
    assert (await texts(client, path))["+79161000002"] == "a;b: 2"


async def test_an_open_quote_costs_its_own_line_only(client: Client, path: str) -> None:
    lines = ["to,note", '+79161000000,"12'] + [f"{number(n)},x" for n in range(1, 6_000)]
    reply = await client.post(path, "\n".join(lines).encode(), media=CSV)
    assert reply.json["counts"] == {"accepted": 5_999, "ineligible": 0, "malformed": 1}
    assert reply.json["problems"][0]["line"] == 2
    lines = ["to,note"] + [f"{number(n)},x" for n in range(6_000, 6_010)] + ['x,"open', "y,x"]
    reply = await client.post(path, "\n".join(lines).encode(), media=CSV)
    assert reply.json["counts"] == {"accepted": 10, "ineligible": 1, "malformed": 1}
    assert [one["line"] for one in reply.json["problems"]] == [12, 13]


async def test_broken_lines_of_csv(client: Client, path: str) -> None:
    lines = [b"to,a", b"+79161000001,\xff", b'+79161000002,"a"b', b"+79161000003,\0", b"a,b,c",
             b"x" * 70_000, b"+79161000004,ok"]  # fmt: skip
    reply = await client.post(path, b"\n".join(lines), media=CSV)
    assert [(one["line"], one["code"]) for one in reply.json["problems"]] == [
        (2, "invalid_utf8"),
        (3, "invalid_value"),
        (4, "invalid_text"),
        (5, "invalid_value"),
        (6, "body_too_large"),
    ]
    assert reply.json["counts"]["accepted"] == 1


@pytest.mark.parametrize(
    "header", [b"phone,name", b"to,to", b"to,,x", b"to,\xff", b'to,"x', b"to," + b"n" * 65, b"\n"]
)
async def test_header_rows_that_cannot_be_used(client: Client, path: str, header: bytes) -> None:
    reply = await client.post(path, header + b"\n+79161000001,x\n", media=CSV)
    assert (reply.status, reply.code) == (422, "invalid_header_row")


async def test_empty_and_foreign_bodies(client: Client, path: str) -> None:
    assert (await client.post(path, b"", media=NDJSON)).code == "empty_body"
    reply = await client.post(path, b"[]", media="application/json")
    assert (reply.status, reply.code) == (415, "unsupported_media_type")
    assert reply.headers["Accept"] == "application/x-ndjson, text/csv"
    reply = await client.post(path, b"to\n1", media="text/csv; charset=windows-1251")
    assert reply.code == "unsupported_media_type"
    reply = await client.post(path, b"\n\n\n", media=NDJSON)
    assert reply.json["counts"] == {"accepted": 0, "ineligible": 0, "malformed": 0}


async def test_a_canceled_batch_takes_nothing(client: Client, path: str) -> None:
    await client.post(path.replace("recipients", "cancel"))
    reply = await client.post(path, ndjson(1)[0], media=NDJSON)
    assert (reply.status, reply.code) == (409, "wrong_state")


async def test_new_recipients_reopen_a_finished_batch(client: Client, rig: Rig, path: str) -> None:
    await client.post(path, ndjson(1)[0], media=NDJSON)
    await client.post(path.replace("recipients", "start"))
    (one,) = (await client.get(path)).json["data"]
    await client.post(f"/v1/messages/{one['id']}/cancel")
    while await rig.store.maintain(rig.clock()):
        pass
    batch = path.removesuffix("/recipients")
    assert (await client.get(batch)).json["status"] == "finished"
    reply = await client.post(path, ndjson(1, first=1)[0], media=NDJSON)
    assert reply.json["status"] == "running"
    assert (await client.get(batch)).json["status"] == "running"


class Watched:
    """The real store, telling when the first list of an upload has been stored."""

    def __init__(self, rig: Rig) -> None:
        self._accept = rig.store.accept
        self.stored = asyncio.Event()
        rig.store.accept = self.accept  # type: ignore[method-assign]

    async def accept(self, submissions: Sequence[Submission]) -> list[StoredAnswer | None]:
        answers = await self._accept(submissions)
        self.stored.set()
        return answers


async def test_lists_are_stored_while_the_stream_still_comes(
    client: Client, rig: Rig, path: str
) -> None:
    store = Watched(rig)
    views: list[Any] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"\n".join(ndjson(2_500)) + b"\n"
        await store.stored.wait()
        views.append((await client.get(path.removesuffix("/recipients"))).json)
        yield b"\n".join(ndjson(500, first=2_500))

    reply = await client.post(path, body(), media=NDJSON)
    assert reply.json["counts"]["accepted"] == 3_000
    assert 1_000 <= views[0]["counts"]["accepted"] < 3_000


async def test_one_upload_at_a_time(client: Client, rig: Rig, path: str) -> None:
    store = Watched(rig)
    second: list[Reply] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"\n".join(ndjson(2_500)) + b"\n"
        await store.stored.wait()
        second.append(await client.post(path, ndjson(1, first=9_999)[0], media=NDJSON))
        yield ndjson(1, first=2_500)[0]

    reply = await client.post(path, body(), media=NDJSON)
    assert reply.json["counts"]["accepted"] == 2_501
    assert (second[0].status, second[0].code) == (409, "upload_in_flight")
    reply = await client.post(path, ndjson(1, first=9_999)[0], media=NDJSON)
    assert reply.json["counts"]["accepted"] == 1


class Failing:
    """The real store, whose disk is full from the nth list on, until it is mended."""

    def __init__(self, rig: Rig, after: int) -> None:
        self._accept = rig.store.accept
        self._left = after
        rig.store.accept = self.accept  # type: ignore[method-assign]
        self._rig = rig

    async def accept(self, submissions: Sequence[Submission]) -> list[StoredAnswer | None]:
        if self._left == 0:
            raise StoreUnavailable("disk full")
        self._left -= 1
        return await self._accept(submissions)

    def mend(self) -> None:
        self._rig.store.accept = self._accept  # type: ignore[method-assign]


async def test_an_upload_that_broke_off_is_sent_again(client: Client, rig: Rig, path: str) -> None:
    disk = Failing(rig, after=2)
    body = b"\n".join(ndjson(3_500))
    reply = await client.post(path, body, media=NDJSON, idempotency="up-1")
    assert (reply.status, reply.code) == (503, "store_unavailable")
    assert reply.json["counts"] == {"accepted": 2_000, "ineligible": 0, "malformed": 0}
    assert int(reply.headers["Retry-After"]) >= 1
    disk.mend()
    reply = await client.post(path, body, media=NDJSON, idempotency="up-1")
    assert "Idempotency-Replayed" not in reply.headers
    assert reply.json["counts"] == {"accepted": 1_500, "ineligible": 2_000, "malformed": 0}
    first = reply.json
    reply = await client.post(path, body, media=NDJSON, idempotency="up-1")
    assert reply.headers["Idempotency-Replayed"] == "true"
    assert reply.json == first
    reply = await client.post(path, body + b"\n", media=NDJSON, idempotency="up-1")
    assert (reply.status, reply.code) == (422, "idempotency_key_reused")
    view: Any = (await client.get(path.removesuffix("/recipients"))).json
    assert view["counts"]["accepted"] == 3_500


async def test_a_caller_that_goes_away_in_the_middle(client: Client, rig: Rig, path: str) -> None:
    store = Watched(rig)
    _, writer = await asyncio.open_connection("127.0.0.1", rig.api.port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n"
        f"Content-Type: {NDJSON}\r\nContent-Length: 1000000\r\n\r\n".encode()
        + b"\n".join(ndjson(1_500))
    )
    await store.stored.wait()
    writer.close()
    await writer.wait_closed()
    while True:
        # The server learns of it when its loop reads the end of the stream.
        reply = await client.post(path, b"\n".join(ndjson(1_500)), media=NDJSON)
        if reply.status != 409:
            break
    assert reply.json["counts"] == {"accepted": 500, "ineligible": 1_000, "malformed": 0}


async def test_lines_are_json_objects_as_in_a_batch(client: Client) -> None:
    path = await templated(client)
    line = {"to": ["+74951234567", number(1)], "vars": {"name": "a", "n": "b"}, "client_ref": "c"}
    await client.post(path, json.dumps(line).encode(), media=NDJSON)
    assert await texts(client, path) == {number(1): "a: b"}
