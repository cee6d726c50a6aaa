"""Refusals of an earlier version's file are obeyed, and listed in an order of their own."""

from __future__ import annotations

import sqlite3

from workbench import Bench

from gateway.store.sqlite import schema

N = 79160000001


async def test_refusals_of_version_2_are_taken_over(tmp_path):
    bench = Bench(tmp_path)
    bench.path.parent.mkdir(parents=True)
    with sqlite3.connect(bench.path) as connection:
        connection.executescript(
            f"{schema._MIGRATIONS[0]}{schema._MIGRATIONS[1]}PRAGMA user_version = 2;"
        )
        connection.execute("INSERT INTO names (id, kind, name) VALUES (7, 'account', 'shop')")
        connection.executemany(
            "INSERT INTO opt_outs (account, number, sender, category, at, source)"
            " VALUES (7, ?, ?, ?, ?, 'mo')",
            [(N + 1, "+777", "*", 30), (N, "ACME", "*", 20), (N, "Acme", "*", 10),
             (N + 2, "ÄRA", "service", 40)],
        )  # fmt: skip
    connection.close()
    await bench.open()
    store = bench.store
    listed = await store.opt_outs("shop", 10)
    assert [(one.number, one.sender, one.category, one.at) for one in listed] == [
        (N, "acme", "*", 10), (N + 1, "777", "*", 30), (N + 2, "ära", "service", 40),
    ]  # fmt: skip
    positions = [one.position for one in listed]
    assert positions == sorted(set(positions))
    assert await store.opted_out("shop", "ACME", "service", [N, N + 1]) == {N}
    assert await store.opted_out("shop", "777", "service", [N, N + 1]) == {N + 1}
    assert await store.opted_out("shop", "ära", "service", [N + 2]) == {N + 2}
    assert await store.opt_in("shop", [N], "acme", "*", bench.now, "api") == 1
    assert (await store.opt_outs("shop", 10, removed=True))[-1].position > positions[-1]
    await store.close()
