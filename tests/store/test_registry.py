"""Registries and the trail of who changed what."""

from __future__ import annotations

from workbench import Bench

from gateway.store.registry import Audit, Entry, Kind


def entry(name: str = "ACME", account: str = "shop", **doc: object) -> Entry:
    return Entry(Kind.SENDER, account, name, doc, updated=5, actor="ops")


async def test_entries_are_kept_with_a_version_that_grows(bench: Bench):
    (first,) = await bench.store.put_entries([entry(status="pending")])
    (second,) = await bench.store.put_entries([entry(status="approved")])
    assert (first.version, second.version) == (1, 2)
    await bench.store.put_entries([entry("BETA", "other"), entry("AAA", "*")])
    await bench.reopen()
    found = await bench.store.entries(Kind.SENDER)
    assert [(one.account, one.name) for one in found] == [
        ("*", "AAA"), ("other", "BETA"), ("shop", "ACME"),
    ]  # fmt: skip
    assert await bench.store.entries(Kind.SENDER, "shop") == [second]
    assert await bench.store.entries(Kind.TEMPLATE) == []


async def test_a_name_that_comes_back_has_no_version_it_had_before(bench: Bench):
    await bench.store.put_entries([entry()])
    await bench.store.put_entries([entry()])
    gone = await bench.store.delete_entry(Kind.SENDER, "shop", "ACME", "ops", 9)
    assert gone is not None
    assert gone.version == 2
    assert await bench.store.delete_entry(Kind.SENDER, "shop", "ACME", "ops", 9) is None
    (again,) = await bench.store.put_entries([entry()])
    assert again.version == 3


async def test_every_change_is_told_and_in_the_trail(bench: Bench):
    told: list[Kind] = []
    bench.store.on_registry(told.append)
    await bench.store.put_entries([entry()])
    await bench.store.delete_entry(Kind.SENDER, "shop", "ACME", "boss", 9)
    assert told == [Kind.SENDER, Kind.SENDER]
    await bench.store.note_audit(
        [Audit("shop", "boss", "moderation.view", "itm_1", 10, {"ip": "::1"})]
    )
    trail = await bench.store.audit("shop", 10)
    assert [(one.action, one.actor, one.at) for one in trail] == [
        ("moderation.view", "boss", 10), ("sender.delete", "boss", 9), ("sender.put", "ops", 5),
    ]  # fmt: skip
    assert trail[0].detail == {"ip": "::1"}
    assert [one.action for one in await bench.store.audit(None, 10, action="sender.")] == [
        "sender.delete", "sender.put",
    ]  # fmt: skip
    assert await bench.store.audit("other", 10) == []
    assert await bench.store.audit(None, 1, trail[0].id) == [trail[1]]
    assert await bench.store.audit(None, 5, subject="itm_1") == [trail[0]]


async def test_the_trail_is_forgotten_in_time(bench: Bench):
    bench.store._memory.keep_audit = 60.0
    await bench.store.note_audit([Audit("shop", "a", "x", "s", bench.now)])
    bench.now += 61_000_000
    await bench.store.note_audit([Audit("shop", "a", "y", "s", bench.now)])
    while await bench.store.maintain(bench.now):
        pass
    assert [one.action for one in await bench.store.audit(None, 5)] == ["y"]
