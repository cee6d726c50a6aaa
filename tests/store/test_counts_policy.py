"""`test_counts`, with what policy does to messages that wait: held for moderators and let go in
steps, put off when windows close, refused and wanted again, with other calls failing beside. On top
of what holds there: nothing leaves that nobody approved or after its window, and nothing waits for
ever."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from unittest import mock

from held import text
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from test_counts import CUSTOMERS, WAITS, Life, few
from workbench import DAY, HOUR, START, Bench

from gateway.model import TRANSITIONS, WAITING, BatchState, Status
from gateway.store.messages import Closed, Content, Opening, OptOut, Replacement
from gateway.store.moderation import Decision
from gateway.store.sqlite import carrying, lease, writer
from gateway.store.sqlite.memory import LEASABLE

SAID = ["one", "two", "three"]
HELD = Status.HELD_MODERATION


@dataclass
class Hours:
    """What a lease is told of closed windows; as many answers as a test wants."""

    after: int | None = 3 * HOUR

    def __call__(self, closed: Sequence[Closed], now: int) -> list[Opening]:
        return [
            Opening(None)
            if self.after is None or now + self.after >= one.deadline
            else Opening(now + self.after, now + self.after + HOUR)
            for one in closed
        ]


class Failed(Exception):
    """Of the call that fails beside others."""


class Policed(Life):
    """Any caller, any order, any decision."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        # Small steps, so that what comes between them does.
        self.patches = [
            mock.patch.object(carrying, "LIST", 2),
            mock.patch.object(carrying, "BUDGET", 0.0),
            mock.patch.object(carrying, "ITEMS", 2),
            mock.patch.object(lease, "PASSING", 2),
            mock.patch.object(lease, "MOST_PASSED", 3),
            mock.patch.object(writer, "MAX_SECONDS", 60.0),
        ]
        for patch in self.patches:
            patch.start()
        self.hours = Hours()
        self.counts = True
        self.waits: dict[int, str] = {}
        """Message -> fingerprint of the text it was held for."""
        self.configure()

    def configure(self) -> None:
        self.bench.store.on_closed(self.hours)
        self.bench.store.set_moderation(lambda account: self.counts, 1_000)

    def teardown(self) -> None:
        if hasattr(self, "waits"):
            try:
                self.nothing_waits_for_ever()
            finally:
                for patch in self.patches:
                    patch.stop()
        super().teardown()

    def nothing_waits_for_ever(self) -> None:
        self.counts = True
        self.bench.now += 11 * 365 * DAY  # longer than messages are kept
        self.runner.run(self.bench.maintain())
        while self.runner.run(self.bench.store.carry_out(self.bench.now)):
            pass
        check_moderation(self.bench)
        left = self.bench.sql(
            f"SELECT id, status FROM messages WHERE status IN"
            f" ({', '.join(str(int(one)) for one in WAITING)})"
        )
        assert left == []

    @rule(count=few, said=st.sampled_from(SAID), batch=st.sampled_from([None, *BatchState]),
          delay=st.sampled_from([0, HOUR]), open_for=st.sampled_from([None, HOUR]),
          account=st.sampled_from("ab"))  # fmt: skip
    def hold(self, count, said, batch, delay, open_for, account) -> None:
        due = self.bench.now + delay
        submission = self.bench.submission(
            count, new_batch=batch or False, status=HELD, account=account, due=due,
            numbers=[100 + n for n in range(count)], esme=CUSTOMERS[account],
            closes=None if open_for is None else due + open_for, reason="stop_word",
        )  # fmt: skip
        waits = text(said, account)
        submission.texts = [waits]
        self.runner.run(self.bench.store.accept([submission]))
        own = [message.id for message in submission.messages]
        self.ids += own
        self.waits |= dict.fromkeys(own, waits.fingerprint.hex())
        if batch:
            self.contents.append(submission.content)

    @rule(count=few, status=st.sampled_from([Status.QUEUED, Status.HELD_QUIET]),
          delay=st.sampled_from([0, HOUR]), batch=st.booleans())  # fmt: skip
    def close(self, count, status, delay, batch) -> None:
        due = self.bench.now + delay
        submission = self.bench.submission(
            count, account="a", status=status, due=due, closes=due + HOUR, new_batch=batch,
            numbers=[100 + n for n in range(count)], esme=CUSTOMERS["a"],
        )  # fmt: skip
        self.runner.run(self.bench.store.accept([submission]))
        self.ids += [message.id for message in submission.messages]
        if batch:
            self.contents.append(submission.content)

    @rule(after=st.sampled_from([None, HOUR, 2 * DAY]))
    def other_hours(self, after) -> None:
        self.hours.after = after

    @rule(counts=st.booleans())
    def other_moderation(self, counts) -> None:
        self.counts = counts

    @rule(data=st.data(), approve=st.booleans())
    def decide(self, data, approve) -> None:
        items = [item for (item,) in self.bench.sql("SELECT id FROM items ORDER BY id")]
        if items:
            decision = Decision(data.draw(st.sampled_from(items)), approve, "ann", self.bench.now)
            self.runner.run(self.bench.store.decide(None, [decision]))

    @rule()
    def carry_out(self) -> None:
        self.runner.run(self.bench.store.carry_out(self.bench.now))

    @rule(parts=st.integers(1, 20))
    def lease(self, parts) -> None:
        known = len(self.leased)
        super().lease(parts)
        self.may_leave([message.id for message in self.leased[known:]])

    def may_leave(self, ids: Sequence[int]) -> None:
        states = dict(self.bench.sql("SELECT fingerprint, state FROM items"))
        closes = dict(self.bench.sql("SELECT id, closes FROM messages"))
        batches = dict(
            self.bench.sql(
                "SELECT m.id, b.state FROM messages AS m JOIN batches AS b ON b.id = m.batch"
            )
        )
        for message in ids:
            if message in self.waits:
                assert states[self.waits[message]] == "approved"
            assert closes[message] is None or closes[message] > self.bench.now
            assert batches.get(message, BatchState.RUNNING) in LEASABLE

    @rule(data=st.data(), status=st.sampled_from(WAITS), delay=st.sampled_from([0, HOUR]),
          said=st.sampled_from(SAID))  # fmt: skip
    def say_otherwise(self, data, status, delay, said) -> None:
        """`replace`, with texts others wait for as well and a window."""
        if not self.ids:
            return
        ids = data.draw(st.lists(st.sampled_from(self.ids), max_size=4, unique=True))
        due = self.bench.now + delay
        waits = text(said, "a") if status is HELD else None
        batches = dict(self.bench.sql("SELECT id, batch FROM messages"))
        answers = self.runner.run(
            self.bench.store.replace(
                "a",
                [
                    Replacement(
                        identifier,
                        Content(
                            self.bench.new_id(), "a", "ACME", "other", "service",
                            batch=batches.get(identifier), esme=CUSTOMERS["a"],
                        ),
                        1, 0, status, due, due + DAY, closes=due + HOUR, text=waits,
                    )
                    for identifier in ids
                ],
                self.bench.now,
            )
        )  # fmt: skip
        for identifier, before in zip(ids, answers, strict=True):
            if before in WAITS:
                assert status in (before, Status.SCHEDULED) or status in TRANSITIONS[before]
                self.waits.pop(identifier, None)
                if waits is not None:
                    self.waits[identifier] = waits.fingerprint.hex()

    def replace(self) -> None:
        """`say_otherwise` instead."""

    @rule(number=st.integers(100, 103), account=st.sampled_from("ab"))
    def start(self, number, account) -> None:
        self.runner.run(
            self.bench.store.opt_in(account, [number], "*", "*", self.bench.now, "START")
        )

    @rule(parts=st.integers(1, 9), said=st.sampled_from(SAID), number=st.integers(100, 103),
          data=st.data())  # fmt: skip
    def together_with_one_that_fails(self, parts, said, number, data) -> None:
        """Calls of one transaction: it is undone, and each is made again by itself."""
        store, now = self.bench.store, self.bench.now
        submission = self.bench.submission(2, account="a", status=HELD, esme=CUSTOMERS["a"])
        submission.texts = [text(said, "a")]
        own = [message.id for message in submission.messages]
        cancelled = data.draw(st.lists(st.sampled_from([*self.ids, *own]), max_size=3, unique=True))
        items = [item for (item,) in self.bench.sql("SELECT id FROM items ORDER BY id")]
        decisions = [Decision(item, True, "ann", now) for item in items[:1]]

        def fail(transaction: Any) -> None:
            raise Failed

        async def both() -> list[Any]:
            # Else what shares a transaction would be a matter of threads, and no example the same.
            ready = threading.Event()
            gate = store._writer.call("gate", lambda transaction: ready.wait(60))
            calls = [
                asyncio.ensure_future(call)
                for call in (
                    store.lease([_demand(parts)], now),
                    store.accept([submission]),
                    store.decide(None, decisions),
                    store.carry_out(now),
                    store.cancel("a", cancelled, now),
                    store.opt_out([OptOut("a", number, "*", "*", now, "STOP")]),
                    _quietly(store._writer.call("fail", fail)),
                    store.carry_out(now),
                    store.lease([_demand(parts)], now),
                    store.maintain(now),
                )
            ]
            await asyncio.sleep(0)
            ready.set()
            await gate
            return await asyncio.gather(*calls)

        first, *_, second, _ = self.runner.run(both())
        self.ids += own
        self.waits |= dict.fromkeys(own, submission.texts[0].fingerprint.hex())
        taken = [*first.taken[0], *second.taken[0]]
        self.leased += taken
        self.may_leave([message.id for message in taken])

    @rule()
    def restart(self) -> None:
        super().restart()
        self.configure()

    @invariant()
    def all_agrees(self) -> None:
        super().all_agrees()
        if hasattr(self, "waits"):
            check_moderation(self.bench)


def _demand(parts: int) -> lease.Demand:
    return lease.Demand("op1", ["main/bulk", "main/x"], parts)


async def _quietly(call: Any) -> None:
    with suppress(Failed):
        await call


def check_moderation(bench: Bench) -> None:
    """What is counted of held messages is what is there."""
    held = bench.sql("SELECT h.message, m.id, m.status FROM held AS h LEFT JOIN messages AS m"
                     " ON m.id = h.message")  # fmt: skip
    assert all(identifier is not None and status == HELD for _, identifier, status in held)
    waiting = bench.sql("SELECT id, lane FROM messages WHERE status = ?", int(HELD))
    assert {identifier for identifier, _ in waiting} == {message for message, _, _ in held}
    assert bench.sql(
        "SELECT id FROM messages WHERE due IS NOT NULL AND (lane < 0) <> (status = ?)", int(HELD)
    ) == []  # fmt: skip
    queue = bench.store._memory.moderation
    by_item = bench.sql(
        "SELECT i.id, i.state, n.name, count(*) FROM held AS h JOIN items AS i ON i.id = h.item"
        " JOIN names AS n ON n.id = i.account GROUP BY i.id"
    )
    undecided = {item: n for item, state, _, n in by_item if state == "waiting"}
    assert {item: entry.messages for item, entry in queue._entries.items()} == undecided
    assert {item for item, state, _, _ in by_item if state != "waiting"} <= set(
        queue.undone(1_000_000)
    )
    assert queue._idle == dict(
        bench.sql(
            "SELECT id, account FROM items WHERE state = 'waiting'"
            " AND NOT EXISTS (SELECT 1 FROM held WHERE item = items.id)"
        )
    )
    assert +queue._idle_of == Counter(queue._idle.values())
    items: Counter[str] = Counter()
    messages: Counter[str] = Counter()
    for _, state, account, n in by_item:
        if state == "waiting":
            items[account] += 1
            messages[account] += n
    told = bench.store.items_waiting()
    assert +Counter({name: one.items for name, one in told.items()}) == items
    assert +Counter({name: one.messages for name, one in told.items()}) == messages
    assert all(len(one.since) == one.items and min(one.since, default=START) >= START
               for one in told.values())  # fmt: skip
    depths = {depth.lane: depth.waiting for depth in bench.store.depths() if depth.waiting}
    assert depths == dict(
        bench.sql(
            "SELECT n.name, count(*) FROM messages AS m JOIN names AS n ON n.id = m.lane"
            " WHERE m.due >= 0 GROUP BY n.name"
        )
    )
    for account in "ab":
        ((n,),) = bench.sql(
            "SELECT count(*) FROM messages AS m JOIN names AS n ON n.id = m.account"
            " WHERE m.due >= 0 AND n.name = ?", account,
        )  # fmt: skip
        assert bench.store.waiting(account) == n


Policed.TestCase.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
TestPoliced = Policed.TestCase
