from __future__ import annotations

from workbench import HOUR, SECOND, START, Bench

from gateway.store.ledgers import Consent, ConsentState
from gateway.store.sqlite import consents

YES, NO, UNKNOWN = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN
ANN, BOB = 79161234567, 79161234568


def said(
    state: ConsentState, brand: str = "*", at: int = START, number: int = ANN, account: str = "shop"
) -> Consent:
    return Consent(account, number, brand, state, at, "Send me offers", "form v1", "ak_1 desk")


async def test_the_newest_statement_to_the_brand_or_to_all_holds(bench: Bench) -> None:
    store = bench.store
    assert await store.consent_states("shop", "ACME", [ANN, BOB]) == {}
    await store.record_consents([said(YES, "ACME")])
    assert await store.consent_states("shop", "ACME", [ANN, BOB]) == {ANN: YES}
    assert await store.consent_states("shop", "Beta", [ANN]) == {}
    assert await store.consent_states("other", "ACME", [ANN]) == {}
    await store.record_consents([said(NO, "*", START + SECOND)])
    assert await store.consent_states("shop", "ACME", [ANN]) == {ANN: NO}
    assert await store.consent_states("shop", "Beta", [ANN]) == {ANN: NO}
    await store.record_consents([said(YES, "acme", START + 2 * SECOND)])
    assert await store.consent_states("shop", "ACME", [ANN]) == {ANN: YES}
    assert await store.consent_states("shop", "Beta", [ANN]) == {ANN: NO}


async def test_an_old_consent_recorded_late_undoes_no_refusal(bench: Bench) -> None:
    await bench.store.record_consents([said(NO, at=START)])
    await bench.store.record_consents([said(YES, at=START - HOUR)])
    assert await bench.store.consent_states("shop", "ACME", [ANN]) == {ANN: NO}
    # Of two said at the same time the one recorded later holds.
    await bench.store.record_consents([said(UNKNOWN, at=START)])
    assert await bench.store.consent_states("shop", "ACME", [ANN]) == {ANN: UNKNOWN}


async def test_numbers_of_senders_are_compared_without_their_plus(bench: Bench) -> None:
    await bench.store.record_consents([said(YES, "+33700000001")])
    assert await bench.store.consent_states("shop", "33700000001", [ANN]) == {ANN: YES}


async def test_all_statements_stay_with_their_proof(bench: Bench) -> None:
    stored = await bench.store.record_consents([said(YES), said(NO, number=BOB), said(NO)])
    assert [one.id for one in stored] == [1, 2, 3]
    assert await bench.store.consents("shop", 10) == stored[::-1]
    assert await bench.store.consents("shop", 2) == stored[:0:-1]
    assert await bench.store.consents("shop", 2, stored[1].id) == stored[:1]
    assert await bench.store.consents("shop", 10, number=ANN) == [stored[2], stored[0]]
    assert await bench.store.consents("other", 10) == []
    assert stored[0].wording == "Send me offers"
    assert (stored[0].source, stored[0].actor) == ("form v1", "ak_1 desk")


async def test_a_long_list_is_recorded_in_steps(bench: Bench) -> None:
    numbers = range(79160000000, 79160002500)
    stored = await bench.store.record_consents([said(YES, number=number) for number in numbers])
    assert [one.id for one in stored] == list(range(1, 2501))
    asked = [*numbers, 79170000000]
    assert await bench.store.consent_states("shop", "ACME", asked) == dict.fromkeys(numbers, YES)


async def test_a_restart_knows_who_has_statements(bench: Bench) -> None:
    await bench.store.record_consents([said(NO)])
    await bench.reopen()
    assert await bench.store.consent_states("shop", "ACME", [ANN]) == {ANN: NO}


async def test_accounts_without_statements_ask_no_file(bench: Bench) -> None:
    await bench.accept()
    await bench.store.record_consents([said(YES, account="other")])
    calls = bench.metrics.registry.get_sample_value
    labels = {"call": "consent_states"}
    assert await bench.store.consent_states("shop", "ACME", [ANN]) == {}
    assert not calls("store_seconds_count", labels)


async def test_statements_are_sought_by_number(bench: Bench) -> None:
    steps = [row[3] for row in bench.sql(f"EXPLAIN QUERY PLAN {consents.STATES}", "[1]", 1, "acme")]
    assert "SEARCH c USING INDEX consents_by_number (account=? AND number=?)" in steps
    assert not any("TEMP B-TREE" in step for step in steps)
