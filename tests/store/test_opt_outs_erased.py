"""Refusals of erased people: the number is gone, the refusal is not."""

from __future__ import annotations

import sqlite3

import pytest
from workbench import DAY, Bench

from gateway.metrics import OPT_OUTS
from gateway.store.messages import OptOut
from gateway.store.sqlite.opt_outs_erase import erase_opt_outs

N = 79161234567


async def stop(bench: Bench, number: int = N, sender: str = "*", **proof: str) -> None:
    await bench.store.opt_out([OptOut("shop", number, sender, "*", bench.now, "mo", proof)])


async def erase(bench: Bench, number: int = N, account: str = "shop") -> int:
    memory = bench.store._memory
    return await bench.store._writer.call(
        "erase", lambda t: erase_opt_outs(t, memory, account, number)
    )


async def refuses(bench: Bench, number: int = N, sender: str = "ACME", account: str = "shop"):
    return await bench.store.opted_out(account, sender, "service", [number]) == {number}


async def test_it_still_stops_messages_also_after_a_restart(bench: Bench):
    await stop(bench, sender="ACME")
    await stop(bench, N + 1)
    assert await erase(bench) == 1
    assert await erase(bench) == 0
    assert await erase(bench, account="nobody") == 0
    for reopened in (False, True):
        if reopened:
            await bench.reopen()
            bench.store._marking._thread.join()
            assert bench.store._memory.opt_outs.marks.ready
        assert await refuses(bench)
        assert await refuses(bench, N + 1)
        assert not await refuses(bench, sender="OTHER")
        assert not await refuses(bench, account="bank")
        await bench.accept(3, numbers=[N, N + 1, N + 2])
        leased = await bench.lease()
        assert [m.number for m in leased] == [N + 2]
        await bench.sent(leased)
    assert bench.metric(OPT_OUTS) == 1


async def test_the_number_is_nowhere_in_the_file(bench: Bench):
    await stop(bench, text=f"the caller +{N} said no", keyword="STOP")
    await stop(bench, N + 1)
    await bench.store.opt_in("shop", [N], "*", "service", bench.now, "mo")  # covers nothing
    await stop(bench, sender="OTHER")
    await bench.store.opt_in("shop", [N], "OTHER", "*", bench.now, "mo")  # a trace to forget
    assert await erase(bench) == 1
    # What told of it at the time goes with the events, which are kept for three days; of these the
    # newest row always stays.
    bench.now += 4 * DAY
    await stop(bench, N + 2)
    await bench.maintain()
    await bench.store.close()
    with sqlite3.connect(bench.path) as connection:
        connection.execute("VACUUM")
    connection.close()
    held = bench.path.read_bytes()
    for number, there in ((N, False), (N + 1, True), (N + 2, True)):
        spelt = number.to_bytes(6, "big")  # as SQLite keeps an integer of its size
        assert (spelt in held) == there
    assert str(N).encode() not in held
    assert str(N + 2).encode() in held
    assert b'"keyword":"STOP"' in held
    bench.make()
    await bench.open()
    assert await refuses(bench)


async def test_the_listing_shows_it_without_a_number(bench: Bench):
    await stop(bench, keyword="STOP")
    await stop(bench, N + 1)
    (before, other) = await bench.store.opt_outs("shop", 10)
    await erase(bench)
    listed = await bench.store.opt_outs("shop", 10)
    assert [(one.number, one.source) for one in listed] == [(N + 1, "mo"), (None, "erased")]
    gone = listed[1]
    assert (gone.proof, gone.at, gone.sender) == ({"keyword": "STOP"}, before.at, "*")
    assert gone.position > other.position
    assert await bench.store.opt_outs("shop", 10, number=N) == [gone]
    assert await bench.store.opt_outs("shop", 1, other.position) == [gone]
    await bench.reopen()
    await stop(bench, N + 3)
    assert (await bench.store.opt_outs("shop", 10))[-1].position > gone.position


@pytest.mark.parametrize(
    "spelt",
    ["+{0}.", "8 (916) 123-45-67", "+7\u00a0916\u00a0123\u201145\u201167", "tel:{0}", "0{0}/x"],
)
async def test_the_proof_does_not_tell_the_number(bench: Bench, spelt: str):
    number, text = 79161234567, spelt.format(79161234567)
    await stop(
        bench, number, text=f"On 2026-11-26 at 10:15: {text} said no (79161234568, 8-800-555-35-35)"
    )
    await bench.store.erase("shop", number, "test", bench.now)
    (kept,) = await bench.store.opt_outs("shop", 10)
    said = kept.proof["text"]
    assert "1234567" not in "".join(filter(str.isdecimal, said))
    assert said.startswith("On 2026-11-26 at 10:15: ")
    assert said.endswith("said no (+7916****568, 8-800-555-35-35)")


async def test_who_comes_back_may_be_written_to(bench: Bench):
    await stop(bench)
    await stop(bench, sender="OTHER")
    await erase(bench)
    assert await bench.store.opt_in("shop", [N], "OTHER", "*", bench.now, "mo") == 1
    assert await refuses(bench)
    assert await bench.store.opt_in("shop", [N, N + 1], "*", "*", bench.now, "mo") == 1
    assert not await refuses(bench)
    assert [one["number"] for one in bench.events("optout.removed")] == [f"+{N}"] * 2
    assert bench.sql("SELECT * FROM opt_out_hashes") == []
    await stop(bench)
    assert await refuses(bench)


async def test_a_waiting_message_to_an_erased_number_is_found(bench: Bench):
    await stop(bench)
    await erase(bench)
    await bench.accept(2, numbers=[N, N + 1])
    assert await bench.store.cancel_opted_out("shop", bench.now) == 1


async def test_an_erasure_that_did_not_come_to_pass_changes_nothing(bench: Bench):
    await stop(bench)
    memory = bench.store._memory

    def fails(transaction):
        erase_opt_outs(transaction, memory, "shop", N)
        raise ValueError("afterwards")

    with pytest.raises(ValueError, match="afterwards"):
        await bench.store._writer.call("erase", fails)
    assert memory.opt_outs.erased == set()
    assert [one.number for one in await bench.store.opt_outs("shop", 10)] == [N]
    assert await refuses(bench)


async def test_the_digest_needs_the_key(bench: Bench, tmp_path):
    other = Bench(tmp_path / "other")
    await other.open()
    digests = {one.store._memory.opt_outs.digest(1, N) for one in (bench, other)}
    assert len(digests) == 2
    assert all(len(digest) == 32 and str(N) not in digest for digest in digests)
    await other.store.close()
