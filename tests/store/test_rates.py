"""Uses of caps on disk, and who was written to of late."""

from __future__ import annotations

from workbench import DAY, HOUR, START, Bench

from gateway.model import Status
from gateway.policy.caps import Reservation
from gateway.store.rates import Written


def day(pdus: int, start: int = START) -> Reservation:
    return Reservation("day", start, start + DAY, pdus)


async def test_the_latest_use_of_a_period_is_kept_and_survives(bench: Bench):
    minute = Reservation("minute", START, START + 60_000_000, 7)
    await bench.store.reserve([("carrier/op1", day(50)), ("carrier/op1", minute)], START)
    await bench.store.reserve([("carrier/op1", day(100)), ("account/shop", day(5))], START)
    await bench.reopen(crash=True)
    assert sorted(await bench.store.reserved(START + 1)) == [
        ("account/shop", day(5)), ("carrier/op1", day(100)), ("carrier/op1", minute),
    ]  # fmt: skip
    assert len(await bench.store.reserved(START + 2 * HOUR)) == 2


async def test_periods_long_over_are_forgotten(bench: Bench):
    await bench.store.reserve([(f"campaign/op1/C{n}", day(1)) for n in range(3000)], START)
    later = START + 4 * DAY
    await bench.store.reserve([("carrier/op1", day(1, later))], later)
    assert bench.sql("SELECT owner FROM reservations") == [("carrier/op1",)]


async def test_what_was_written_to_whom_is_read_in_slices(bench: Bench):
    await bench.store.accept([bench.submission(3, account="shop", numbers=[1, 2, 3])])
    await bench.store.accept([bench.submission(2, account="other", numbers=[8, 9])])
    adverts = bench.submission(
        3, account="shop", sender="SALE", category="advertising", numbers=[1, 4, 5]
    )
    adverts.messages[2].status = Status.REJECTED
    adverts.messages[2].reason = "quiet_hours"
    await bench.store.accept([adverts])
    found: list[Written] = []
    after: int | None = 0
    while after is not None:
        part, after = await bench.store.written_since(["shop", "unheard of"], after, 3)
        found += part
    assert [(one.number, one.sender, one.category, one.account) for one in found] == [
        (1, "ACME", "service", "shop"), (2, "ACME", "service", "shop"),
        (3, "ACME", "service", "shop"), (1, "SALE", "advertising", "shop"),
        (4, "SALE", "advertising", "shop"),
    ]  # fmt: skip
    assert all(abs(one.at - START) < 1_000_000 for one in found)
    assert await bench.store.written_since([], 0, 3) != ([], None)  # others' are passed over
