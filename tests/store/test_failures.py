from __future__ import annotations

from collections.abc import Sequence

from workbench import DAY, Bench

from gateway.metrics import NUMBERS_SUPPRESSED
from gateway.model import Status
from gateway.store.ledgers import AccountRules
from gateway.store.messages import Outcome
from gateway.store.sqlite import failures

GONE, HERE = 79161234567, 79161234568
ARRIVED = ("", Status.DELIVERED)
NOBODY = ("unknown_subscriber", Status.UNDELIVERED)


def rule(bench: Bench, after: int = 3, *accounts: str) -> None:
    rules = {name: AccountRules(after) for name in accounts or ("shop",)}
    bench.store.rule_accounts(rules)


async def end(bench: Bench, number: int, *fates: tuple[str, Status], account: str = "shop") -> None:
    """Messages to a number that end so, one after the other."""
    for reason, status in fates:
        await bench.accept(numbers=[number], account=account)
        (message,) = await bench.lease()
        await bench.sent([message])
        await bench.receive(bench.receipt(message.id, status, reason=reason or None))


async def suppressed(bench: Bench, *numbers: int, account: str = "shop") -> set[int]:
    return await bench.store.suppressed(account, numbers or (GONE, HERE))


async def test_failures_in_a_row_suppress(bench: Bench) -> None:
    rule(bench)
    await end(bench, GONE, NOBODY, NOBODY)
    assert await suppressed(bench) == set()
    assert bench.metric(NUMBERS_SUPPRESSED, "shop") == 0
    await end(bench, GONE, NOBODY)
    await end(bench, HERE, ARRIVED)
    assert await suppressed(bench) == {GONE}
    assert await suppressed(bench, account="other") == set()
    await end(bench, GONE, NOBODY)
    assert bench.metric(NUMBERS_SUPPRESSED, "shop") == 1


async def test_a_delivery_begins_anew(bench: Bench) -> None:
    rule(bench)
    await end(bench, GONE, NOBODY, NOBODY, ARRIVED, NOBODY, NOBODY)
    assert await suppressed(bench) == set()
    assert bench.sql("SELECT number, count FROM failures") == [(GONE, 2)]
    await end(bench, GONE, NOBODY)
    assert await suppressed(bench) == {GONE}
    await end(bench, GONE, ARRIVED)
    assert await suppressed(bench) == set()


async def test_only_what_is_the_numbers_own_counts(bench: Bench) -> None:
    rule(bench, 1)
    others = [
        ("absent_subscriber", Status.EXPIRED),
        ("operator_blocked", Status.REJECTED),
        ("network_error", Status.UNDELIVERED),
        ("outcome_unknown", Status.UNKNOWN),
    ]
    await end(bench, GONE, *others)
    assert bench.sql("SELECT count(*) FROM failures") == [(0,)]


async def test_a_refusal_at_submission_counts(bench: Bench) -> None:
    rule(bench, 1)
    await bench.accept(numbers=[GONE])
    (message,) = await bench.lease()
    no = bench.result(
        message, Outcome.FAILED, Status.REJECTED, reason="unknown_subscriber", carrier_code="0x0B"
    )
    await bench.store.settle([no])
    assert await suppressed(bench) == {GONE}


async def test_a_long_list_that_fails_at_once(bench: Bench) -> None:
    """Of one number twice, too: both count."""
    rule(bench, 2)
    numbers = [*range(79160000000, 79160001200), 79160000000]
    await bench.accept(len(numbers), numbers=numbers, new_batch=True)
    leased = await bench.lease(2_000)
    await bench.sent(leased)
    await bench.receive(*(
        bench.receipt(one.id, Status.UNDELIVERED, reason="unknown_subscriber") for one in leased
    ))  # fmt: skip
    assert await suppressed(bench, *numbers) == {79160000000}
    assert bench.sql("SELECT count(*) FROM failures") == [(1200,)]


async def test_accounts_differ_and_may_never_suppress(bench: Bench) -> None:
    bench.store.rule_accounts({"shop": AccountRules(1), "patient": AccountRules(0)})
    for account in ("shop", "patient", "unheard-of"):
        await end(bench, GONE, NOBODY, account=account)
    assert await suppressed(bench) == {GONE}
    assert await suppressed(bench, account="patient") == set()
    assert bench.sql("SELECT count(*) FROM failures") == [(1,)]
    # What was counted under another limit counts under a new one.
    rule(bench, 2)
    assert await suppressed(bench) == set()


async def test_a_restart_knows_them(bench: Bench) -> None:
    rule(bench, 1)
    await end(bench, GONE, NOBODY)
    await bench.reopen()
    rule(bench, 1)
    assert await suppressed(bench) == {GONE}
    await end(bench, GONE, ARRIVED)
    assert await suppressed(bench) == set()


async def test_it_can_be_lifted_and_is_in_the_trail(bench: Bench) -> None:
    rule(bench, 1)
    await end(bench, GONE, NOBODY, NOBODY)
    assert await bench.store.unsuppress("shop", GONE, "ak_1 desk", bench.now)
    assert not await bench.store.unsuppress("shop", GONE, "ak_1 desk", bench.now)
    assert not await bench.store.unsuppress("nobody", GONE, "ak_1 desk", bench.now)
    assert await suppressed(bench) == set()
    (entry,) = await bench.store.audit("shop", 10)
    assert (entry.action, entry.actor) == ("suppression.lift", "ak_1 desk")
    assert (entry.subject, entry.detail) == ("+7916****567", {"failures": 2})


async def test_old_failures_are_forgotten(bench: Bench) -> None:
    rule(bench, 1)
    await end(bench, GONE, NOBODY)
    bench.now += 60 * DAY
    await end(bench, HERE, NOBODY)
    bench.now += 31 * DAY
    await bench.maintain()
    assert await suppressed(bench) == {HERE}


async def test_who_never_failed_costs_no_look_at_the_file(bench: Bench) -> None:
    rule(bench, 1)

    def calls() -> float:
        found = bench.metrics.registry.get_sample_value(
            "store_seconds_count", {"call": "suppressed"}
        )
        return found or 0.0

    assert await suppressed(bench) == set()
    assert calls() == 0
    await end(bench, GONE, NOBODY)
    while not bench.store._memory.failing.ready:
        bench.store._failing._thread.join()
    numbers: Sequence[int] = range(33600000000, 33600000100)
    before = calls()
    looked = [number for number in numbers if await suppressed(bench, number)]
    assert looked == []
    assert calls() - before < 30


async def test_the_table_can_be_read_to_fill_the_marks(bench: Bench) -> None:
    rule(bench, 1, "shop", "other")
    for account in ("shop", "other"):
        for number in (GONE, HERE):
            await end(bench, number, NOBODY, account=account)
    ledger = failures.Failures()
    connection = bench.store._connection
    assert ledger.count(connection) == 4
    assert [numbers for _, numbers in ledger.entries(connection)] == [[GONE, HERE]] * 2
