"""Messages that go out in the customer's own parts are stored, found, recovered and erased like
others."""

from __future__ import annotations

import base64

from workbench import HOUR, SECOND, Bench

from gateway.model import OnUnknown, Status
from gateway.store.messages import Content, Demand, Esme, RawPart
from gateway.store.records import RECEIPT, MessageFilter
from gateway.store.sqlite import contents
from gateway.store.sqlite.contents import Contents

SECRET = b"\x05\x00\x03\x07\x02\x01the code is 1234 \xff\x00"
VALUE = b"\x07their own value"


def content(bench: Bench, *ids: int, text: str = "the code is 1234") -> Content:
    """Parts whose ids were told; 0 is the message's own."""
    esme = Esme("acme", "ACME", registered_delivery=1)
    raw = tuple(
        RawPart(identifier, 0x40, 0, 0, SECRET + bytes([n]), ((0x1400, VALUE),), n % 2 == 1)
        for n, identifier in enumerate(ids)
    )
    return Content(bench.new_id(), "shop", "ACME", text, "service", esme=esme, raw=raw)


async def test_a_lease_gives_every_octet_back(bench: Bench):
    own = content(bench, bench.new_id(), bench.new_id(), 0)
    await bench.accept(1, content=own, parts=3)
    await bench.reopen()  # from the file, not from memory
    lease = await bench.store.lease([Demand("op1", ["main/bulk"], 3)], bench.now)
    assert lease.contents == {own.id: own}


async def test_what_they_say_together_is_shown(bench: Bench):
    ids = await bench.accept(1, content=content(bench, bench.new_id(), 0), parts=2)
    ids += await bench.accept(1, content=content(bench, 0, text=""))  # octets that are no text
    views = await bench.store.messages("shop", ids)
    assert [view.text for view in views if view] == ["the code is 1234", ""]
    found = await bench.store.search(MessageFilter("shop"), 10)
    assert [(view.id, view.text) for view in found] == [(ids[1], ""), (ids[0], "the code is 1234")]


async def test_a_crash_leaves_their_leases_in_doubt_like_others(bench: Bench):
    first = bench.new_id()
    (one,) = await bench.accept(1, content=content(bench, first, 0), parts=2)
    (leased,) = await bench.lease()
    recovered = await bench.reopen(crash=True)
    assert (recovered.resent, recovered.unknown) == (1, 0)
    assert await bench.store.read_log("shop", [RECEIPT], 0, 9) == []  # it is under way again
    (again,) = await bench.lease()
    assert (again.id, again.parts, again.attempts) == (one, 2, leased.attempts + 1)
    bench.policy["service"] = OnUnknown.FAIL
    recovered = await bench.reopen(crash=True)
    assert (recovered.resent, recovered.unknown) == (0, 1)
    (chunk,) = await bench.store.read_log("shop", [RECEIPT], 0, 9)
    assert chunk.count == 2
    assert f'"ids":[{first},{one}]'.encode() in chunk.body


async def test_their_octets_go_with_the_texts_and_their_ids_stay(bench: Bench):
    first = bench.new_id()
    (one,) = await bench.accept(1, content=content(bench, first, 0), parts=2)
    (other,) = await bench.accept(1)
    await bench.sent(await bench.lease())
    bench.now += SECOND
    await bench.receive(
        bench.receipt(one, Status.UNKNOWN, 1), bench.receipt(one, Status.UNKNOWN, 2),
        bench.receipt(other),
    )  # fmt: skip
    bench.now += int(bench.settings.keep_text * SECOND) + HOUR
    await bench.maintain()
    await bench.store.close()
    octets = bench.path.read_bytes()
    for secret in (SECRET, b"the code is 1234", base64.b64encode(SECRET)[:20],
                   base64.b64encode(VALUE)):  # fmt: skip
        assert secret not in octets
    bench.make()
    await bench.open()
    assert bench.sql("SELECT json_array_length(json, '$.raw') FROM contents ORDER BY id") == [
        (2,), (None,),
    ]  # fmt: skip
    # The operator thinks better of it after all.
    end = (await bench.store.read_log("shop", [RECEIPT], 0, 9))[-1].position
    await bench.receive(bench.receipt(one, part=1), bench.receipt(one, part=2))
    (chunk,) = await bench.store.read_log("shop", [RECEIPT], end, 9)
    assert f'"ids":[{first},{one}]'.encode() in chunk.body


def test_large_parts_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(contents, "MAX_OCTETS", 1_000)
    kept = Contents()

    def of(identifier: int, octets: int) -> Content:
        raw = (RawPart(0, 0, 4, 0, b"x" * octets),) if octets else ()
        return Content(identifier, "shop", "ACME", "text", "service", raw=raw)

    kept.put(of(1, 600))
    kept.put(of(2, 0))
    kept.put(of(3, 300))
    kept.put(of(3, 300))  # the same again counts once
    assert all(identifier in kept for identifier in (1, 2, 3))
    kept.put(of(4, 101))
    assert [identifier in kept for identifier in (1, 2, 3, 4)] == [False, True, True, True]
    kept.forget(3)
    kept.forget(3)
    kept.put(of(5, 880))
    assert [identifier in kept for identifier in (2, 4, 5)] == [True, True, True]
    kept.put(of(6, 2_000))  # more than all: read from the file each time
    assert not any(identifier in kept for identifier in range(1, 7))
    for identifier in range(10, 10 + contents.KEPT + 1):
        kept.put(of(identifier, 0) if identifier % 2 else of(identifier, 1))
        assert identifier in kept
    assert 10 not in kept
