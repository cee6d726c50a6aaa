"""Handing due messages to carriers, durably.

In: demands. Out: messages that are now `sending`, or, where their time is over or their recipient
has refused, the end of them. `sources` says where to look and in which order; the rows decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.ids import COUNTER_BITS, EPOCH_MS, NODE_BITS
from gateway.metrics import OPT_OUT_CANCELED, QUEUE_AGE
from gateway.model import Status
from gateway.store.messages import Closed, Content, Demand, Lease, Leased, Opening
from gateway.store.sqlite import transitions
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import CARRIER, LANE
from gateway.store.sqlite.opt_outs import refused_messages
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.sources import Source, shares
from gateway.store.sqlite.transitions import Steps, reason_number
from gateway.store.sqlite.values import Values
from gateway.store.sqlite.writer import Transaction

ENDINGS: Final = {
    "validity_expired": Status.EXPIRED,
    "opted_out": Status.CANCELED,
    "erased": Status.CANCELED,
    "quiet_hours": Status.REJECTED,
}
"""How a message ends that is not leased, by reason."""
PASSING: Final = 256
"""Rows read at once where messages are passed over rather than leased."""
ROUNDS: Final = 3
"""Times a lane is asked again for what some of its sources turned out not to have."""

DUE: Final = f"""
SELECT json_group_array(json_array(id, content, number, parts, attempts, sequence + 1, deadline, ?,
    ?, ?, vars, client_ref, ((id >> {NODE_BITS + COUNTER_BITS}) + {EPOCH_MS}) * 1000, status, due,
    closes, zone))
FROM (
    SELECT * FROM messages INDEXED BY messages_due
    WHERE lane = ? AND source = ? AND due BETWEEN 0 AND ? ORDER BY due, id LIMIT ?
)
"""
NEXT: Final = """
SELECT min(due) FROM messages INDEXED BY messages_due WHERE lane = ? AND source = ? AND due > ?
"""
TAKE: Final = f"""
UPDATE messages SET status = {int(Status.SENDING)}, due = -?1, sequence = sequence + 1,
    updated = ?1, carrier = ?2
WHERE id IN (SELECT value FROM json_each(?3))
"""


PUT_OFF: Final = Values(
    f"""
UPDATE messages SET status = {int(Status.HELD_QUIET)}, due = column2, closes = column3,
    sequence = sequence + column4, updated = ?, reason = ?
FROM """,
    4,
    " WHERE messages.id = column1",
)
MOST_PASSED: Final = 2_000
"""Messages one call ends or puts off before it lets others in: some 10 ms. Evenings bring them by
the hundred thousand, and what stands behind them must not wait for a heartbeat each time."""


class _Row(Leased):
    """A due message, the status it had, when it was due, and until when it may leave."""

    before: int
    due: int
    closes: int | None
    zone: int | None


_rows: Final = msgspec.json.Decoder(list[_Row])


class _Call:
    """One lease call: what its demands have in common."""

    def __init__(self, transaction: Transaction, memory: Memory, now: int) -> None:
        self.transaction = transaction
        self.connection = transaction.connection
        self.memory = memory
        self.now = now
        self.deltas: Counter[tuple[int, int]] = Counter()
        self.contents: dict[int, Content] = {}
        self.ended = Steps()
        self.put_off = Steps()
        self.passed = 0
        self.handled: dict[tuple[int, int], set[int]] = {}
        self.ages: dict[str, list[float]] = {}
        self.refused = 0

    def demand(self, demand: Demand) -> list[Leased]:
        """Take for one carrier."""
        taken: list[_Row] = []
        left = demand.parts
        for name in demand.lanes:
            lane = self.memory.names.known(LANE, name)
            if lane is not None and left > 0:
                left = self._lane(lane, name, left, taken, demand.idle)
        if taken:
            carrier = self.memory.names.intern(self.connection, CARRIER, demand.carrier)
            ids = [row.id for row in taken]
            self.connection.execute(TAKE, (self.now, carrier, pack(ids)))
            for handled in self.handled.values():
                handled.difference_update(ids)
            leased = self.memory.leased
            leased.update(ids)
            self.transaction.on_rollback(lambda: leased.difference_update(ids))
        return list(taken)

    def _lane(self, lane: int, name: str, left: int, taken: list[_Row], idle: bool) -> int:
        """Take up to `left` PDUs from one lane; returns what is left."""
        sources = self.memory.sources
        passed: set[int] = set()
        rounds = 0
        while rounds < ROUNDS:
            accounts = [
                own
                for account in sources.ready(lane, self.now, left)
                if (own := [s for s in account if s.source not in passed])
            ]
            if not accounts:
                break
            by_account = shares(left, [sum(s.pdus for s in own) for own in accounts])
            before, passed_before = left, self.passed
            for own, share in zip(accounts, by_account, strict=True):
                for source, want in zip(own, shares(share, [s.pdus for s in own]), strict=True):
                    if want <= 0 or left <= 0:
                        continue
                    used, more = self._source(
                        source, name, min(want, left), left, taken, idle and not taken
                    )
                    left -= used
                    if not more:
                        passed.add(source.source)
            if left <= 0 or self.passed >= MOST_PASSED:
                break
            if self.passed == passed_before:
                if left == before:
                    break
                rounds += 1
        return left

    def _source(
        self, source: Source, name: str, want: int, left: int, taken: list[_Row], idle: bool
    ) -> tuple[int, bool]:
        """Take up to `want` PDUs of one source; returns those used and whether to ask again."""
        account = self.memory.names.name(source.account)
        batch = source.source if source.source > 0 else None
        # What this call has dealt with is still due in the file: it is written when the demand, or
        # the call, is through.
        handled = self.handled.setdefault((source.lane, source.source), set())
        most = min(want, int(want / source.width) + 8)
        if self.passed:
            most = max(most, PASSING)  # where some do not leave, many do not
        limit = most + len(handled)
        rows = unpack(
            self.connection, _rows, DUE, name, account, batch,
            source.lane, source.source, self.now, limit,
        )  # fmt: skip
        exhausted = len(rows) < limit
        if handled:
            rows = [row for row in rows if row.id not in handled]
            exhausted = exhausted and len(rows) <= most
            rows = rows[:most]
        if rows:
            source.width = sum([row.parts for row in rows]) / len(rows)
        used = 0
        blocked: _Row | None = None
        good: list[_Row] = []
        later: list[tuple[_Row, Opening]] = []
        gone = 0
        for row, verdict in self._judged(rows, source.account):
            if isinstance(verdict, Opening) and verdict.due is not None:
                later.append((row, verdict))
            elif verdict is not None:
                self._end(row, source, verdict if isinstance(verdict, str) else "quiet_hours")
                handled.add(row.id)
                gone += 1
            elif (
                used + row.parts <= want
                # The first of a turn may exceed the fair share, or long messages would starve.
                or (used == 0 and (row.parts <= left or idle))
            ):
                used += row.parts
                good.append(row)
            else:
                blocked = row
                break
        handled.update(row.id for row in good)
        self.passed += gone + len(later)
        if later:
            self._put_off(source, later)
        if good:
            now = self.now
            self.ages.setdefault(name, []).extend([(now - row.due) * 1e-6 for row in good])
        self._leave(source, len(good) + gone, good)
        sources = self.memory.sources
        sources.served(source)
        taken += good
        if blocked is not None:
            return used, blocked.parts <= left - used
        if exhausted:
            due = self.connection.execute(NEXT, (source.lane, source.source, self.now)).fetchone()[
                0
            ]
            lane, key = source.lane, source.source
            sources.exhausted(source, due)
            self.transaction.on_rollback(lambda: sources.wake(lane, key))
        return used, not exhausted

    def _judged(self, rows: list[_Row], account: int) -> list[tuple[_Row, str | Opening | None]]:
        """Each row with the reason it ends for, or with when it may leave instead of now."""
        if not rows:
            return []
        found = self.memory.contents.get(self.connection, {row.content for row in rows})
        self.contents.update(found)
        no = refused_messages(self.connection, self.memory, account, rows, found)
        now, erasing = self.now, self.memory.erasing
        verdicts: list[str | Opening | None] = [
            "validity_expired"
            if row.deadline <= now
            else "erased"
            if row.id in erasing
            else "opted_out"
            if index in no
            else None
            for index, row in enumerate(rows)
        ]
        reopen = self.memory.reopen
        if reopen is not None:
            closed = [
                index
                for index, row in enumerate(rows)
                if row.closes is not None and row.closes <= now and verdicts[index] is None
            ]
            if closed:
                openings = reopen([self._closed(rows[index], found) for index in closed], now)
                for index, opening in zip(closed, openings, strict=True):
                    if opening.due is None or opening.due > now:
                        verdicts[index] = opening
        return list(zip(rows, verdicts, strict=True))

    def _closed(self, row: _Row, contents: Mapping[int, Content]) -> Closed:
        zone = None if row.zone is None else self.memory.names.name(row.zone)
        return Closed(row.number, contents[row.content], zone, row.deadline)

    def _put_off(self, source: Source, later: list[tuple[_Row, Opening]]) -> None:
        """They stay where they wait, until their next window opens."""
        flat: list[int | None] = []
        for row, opening in later:
            new = row.before != Status.HELD_QUIET
            flat += (row.id, opening.due, opening.closes, new)
            if new:
                row.sequence -= 1  # it was not leased after all
                self.put_off[
                    source.account, source.source, row.before, int(Status.HELD_QUIET), self.now,
                    None, 0, "quiet_hours", None,
                ].subjects.append(row)  # fmt: skip
                if source.source > 0:
                    self.deltas[source.source, row.before] -= 1
                    self.deltas[source.source, int(Status.HELD_QUIET)] += 1
        PUT_OFF.run(self.connection, flat, before=(self.now, reason_number("quiet_hours")))

    def _leave(self, source: Source, count: int, good: list[_Row]) -> None:
        if not count:
            return
        sources = self.memory.sources
        lane, account, key = source.lane, source.account, source.source
        sources.leave(lane, key, count)
        self.transaction.on_rollback(lambda: sources.arrive(lane, account, key, count, 0))
        if key > 0:
            for before, n in Counter([row.before for row in good]).items():
                self.deltas[key, before] -= n
            self.deltas[key, Status.SENDING] += len(good)

    def _end(self, row: _Row, source: Source, reason: str) -> None:
        after = ENDINGS[reason]
        row.sequence -= 1  # it was not leased after all
        self.refused += reason == "opted_out"
        self.ended[
            source.account, source.source, row.before, after, self.now, None, 0, reason, None
        ].subjects.append(row)


def lease(transaction: Transaction, memory: Memory, demands: Sequence[Demand], now: int) -> Lease:
    """See the contract."""
    call = _Call(transaction, memory, now)
    taken = []
    for demand in demands:
        taken.append(call.demand(demand))
    transitions.announce(transaction, memory, call.put_off.values())
    transitions.write(transaction, memory, call.ended, call.deltas)
    transitions.count(call.connection, call.deltas)
    wanted = {row.content for rows in taken for row in rows}
    moved = sum(map(len, taken))
    ages = call.ages

    def committed() -> None:
        memory.moved += moved
        for name, values in ages.items():
            memory.metrics.observe(QUEUE_AGE, values, name)

    if moved:
        transaction.after_commit(committed)
    if call.refused:
        transaction.after_commit(
            lambda: memory.metrics.count(OPT_OUT_CANCELED, call.refused, "lease")
        )
    lanes = {
        lane
        for demand in demands
        for name in demand.lanes
        if (lane := memory.names.known(LANE, name)) is not None
    }
    return Lease(
        taken,
        {identifier: call.contents[identifier] for identifier in wanted},
        memory.sources.next_due(list(lanes)),
        call.passed >= MOST_PASSED,
    )
