"""Whatever happens in whatever order: counts equal recounts, memory equals the file, every change
is an event, and customers hear of those they asked for."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from workbench import DAY, HOUR, SECOND, Bench, held

from config.settings import Duration
from gateway.ids import decode
from gateway.model import FINAL, TRANSITIONS, BatchState, Status
from gateway.store.messages import (
    Content,
    Esme,
    LateAnswer,
    Leased,
    OptOut,
    Outcome,
    Replacement,
    Settled,
)
from gateway.store.records import RECEIPT, ReceiptNews

ENDS = [
    (Outcome.SENT, Status.SENT), (Outcome.RETRY, Status.QUEUED), (Outcome.FAILED, Status.FAILED),
    (Outcome.FAILED, Status.EXPIRED), (Outcome.UNKNOWN, Status.QUEUED),
    (Outcome.UNKNOWN, Status.UNKNOWN),
]  # fmt: skip
RECEIPTS = [Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.REJECTED, Status.UNKNOWN]
WAITS = [Status.QUEUED, Status.SCHEDULED, Status.HELD_MODERATION, Status.HELD_QUIET]
CUSTOMERS = {"a": Esme("acme", "ACME", registered_delivery=0x11), "b": None}
few = st.integers(1, 6)
_news = msgspec.json.Decoder(list[ReceiptNews])


class Life(RuleBasedStateMachine):
    """Any caller, any order."""

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        long = Duration(10 * 365 * 86_400)  # nothing is pruned: all of it is compared
        self.bench = Bench(
            Path(self.directory.name),
            keep_events=long, keep_messages=long, synchronous="NORMAL",
        )  # fmt: skip
        self.runner.run(self.bench.open())
        self.leased: list[Leased] = []
        self.doubtful: list[Leased] = []
        self.ids: list[int] = []
        self.contents: list[Content] = []

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.bench.store.close())
            self.runner.close()
            self.directory.cleanup()

    @rule(count=few, batch=st.sampled_from([None, *BatchState]), parts=st.integers(1, 3),
          status=st.sampled_from([*WAITS, Status.REJECTED]),
          delay=st.sampled_from([0, HOUR]), account=st.sampled_from("ab"))  # fmt: skip
    def accept(self, count, batch, parts, status, delay, account) -> None:
        submission = self.bench.submission(
            count, new_batch=batch or False, parts=parts, status=status, account=account,
            due=self.bench.now + delay, numbers=[100 + n for n in range(count)],
            esme=CUSTOMERS[account],
        )  # fmt: skip
        if status is Status.REJECTED:
            for message in submission.messages:
                message.reason = "too_long"
        self.runner.run(self.bench.store.accept([submission]))
        self.ids += [message.id for message in submission.messages]
        if batch:
            self.contents.append(submission.content)

    @rule(data=st.data(), count=few)
    def grow(self, data, count) -> None:
        if self.contents:
            content = data.draw(st.sampled_from(self.contents))
            submission = self.bench.submission(count, content=content)
            self.runner.run(self.bench.store.accept([submission]))
            self.ids += [message.id for message in submission.messages]

    @rule(parts=st.integers(1, 20))
    def lease(self, parts) -> None:
        self.leased += self.runner.run(self.bench.lease(parts, lanes=["main/bulk", "main/x"]))

    @rule(data=st.data())
    def settle(self, data) -> None:
        results = []
        for message in data.draw(st.lists(st.sampled_from(self.leased), unique_by=id)
                                 if self.leased else st.just([])):  # fmt: skip
            outcome, status = data.draw(st.sampled_from(ENDS))
            if outcome is Outcome.UNKNOWN:
                self.doubtful.append(message)
            ids = [f"{message.id}-{n + 1}" for n in range(message.parts)]
            results.append(
                Settled(message, "op1", outcome, self.bench.now, status,
                        ids if outcome is Outcome.SENT else (), lane=data.draw(
                            st.sampled_from(["", "main/x"])), attempts=message.attempts)
            )  # fmt: skip
        self.leased = [m for m in self.leased if not any(m is r.message for r in results)]
        self.runner.run(self.bench.store.settle(results))

    @rule(data=st.data())
    def late(self, data) -> None:
        if self.doubtful:
            message = data.draw(st.sampled_from(self.doubtful))
            part = data.draw(st.integers(1, message.parts))
            name = f"{message.id}-{part}"
            answer = LateAnswer(message.id, "op1", part, message.parts, name, self.bench.now)
            self.runner.run(self.bench.store.settle_late([answer]))

    @rule(data=st.data())
    def receive(self, data) -> None:
        wanted = st.tuples(
            st.sampled_from(self.ids or [1]), st.integers(1, 3), st.sampled_from(RECEIPTS)
        )
        receipts = [
            self.bench.receipt(identifier, status, part)
            for identifier, part, status in data.draw(st.lists(wanted, max_size=8))
        ]
        self.runner.run(self.bench.receive(*receipts))

    @rule(data=st.data())
    def cancel(self, data) -> None:
        ids = data.draw(
            st.lists(st.sampled_from(self.ids), unique=True) if self.ids else st.just([])
        )
        self.runner.run(self.bench.store.cancel("a", ids, self.bench.now))

    @rule(data=st.data(), status=st.sampled_from(WAITS), delay=st.sampled_from([0, HOUR]),
          parts=st.integers(1, 3))  # fmt: skip
    def replace(self, data, status, delay, parts) -> None:
        ids = data.draw(st.lists(st.sampled_from(self.ids), max_size=4) if self.ids
                        else st.just([]))  # fmt: skip
        due = self.bench.now + delay
        batches = dict(self.bench.sql("SELECT id, batch FROM messages"))
        ones = [
            Replacement(
                identifier,
                Content(
                    self.bench.new_id(), "a", "ACME", "other", "service",
                    batch=batches.get(identifier), esme=CUSTOMERS["a"],
                ),
                parts, 0, status, due, due + DAY,
                text=held("a", "other") if status == Status.HELD_MODERATION else None,
            )
            for identifier in ids
        ]  # fmt: skip
        before = {i: (s, seq) for i, s, seq in self.bench.sql(
            "SELECT m.id, m.status, m.sequence FROM messages AS m JOIN names AS n"
            " ON n.id = m.account WHERE n.name = 'a'"
        )}  # fmt: skip
        answers = self.runner.run(self.bench.store.replace("a", ones, self.bench.now))
        assert answers == [before.get(identifier, (None, 0))[0] for identifier in ids]
        for identifier, after, sequence, text in self.bench.sql(
            "SELECT m.id, m.status, m.sequence, c.json ->> 'text' FROM messages AS m"
            " JOIN contents AS c ON c.id = m.content"
        ):
            if identifier in before and identifier in ids:
                was, earlier = before[identifier]
                assert sequence - earlier == (after != was)
                assert after == was or after in TRANSITIONS[was]
                assert was in WAITS or after == was
                assert text == "other" or was not in WAITS

    @rule(data=st.data(), state=st.sampled_from(BatchState))
    def move(self, data, state) -> None:
        if self.contents:
            content = data.draw(st.sampled_from(self.contents))
            self.runner.run(
                self.bench.store.set_batch_state(
                    content.account, content.batch, state, self.bench.now
                )
            )

    @rule(number=st.integers(100, 103), account=st.sampled_from("ab"))
    def stop(self, number, account) -> None:
        entry = OptOut(account, number, "*", "*", self.bench.now, "STOP")
        self.runner.run(self.bench.store.opt_out([entry]))

    @rule(number=st.integers(100, 103), account=st.sampled_from("ab"))
    def erase(self, number, account) -> None:
        gone = self.runner.run(self.bench.store.erase(account, number, "me", self.bench.now))
        assert gone.canceled <= gone.messages
        left = self.bench.sql(
            "SELECT m.status FROM messages AS m JOIN names AS n ON n.id = m.account"
            " WHERE m.number = ? AND n.name = ?", number, account,
        )  # fmt: skip
        assert {status for (status,) in left} <= {Status.SENDING, Status.SENT}
        assert len(left) == gone.under_way

    @rule(time=st.sampled_from([SECOND, HOUR, DAY, 4 * DAY]))
    def pass_time(self, time) -> None:
        self.bench.now += time
        self.runner.run(self.bench.maintain())

    @rule()
    def restart(self) -> None:
        metrics = self.bench.metrics
        self.runner.run(self.bench.reopen())
        assert self.bench.metrics is metrics
        self.doubtful += self.leased
        self.leased = []

    @invariant()
    def all_agrees(self) -> None:
        if not hasattr(self, "bench"):
            return
        self.bench.check()
        self.check_events()

    def check_events(self) -> None:
        told: dict[int, list[dict]] = defaultdict(list)
        for event in self.bench.events():
            told[decode("msg", event["message"])].append(event)
        # A batch's messages are told by its id, so the number tells them apart.
        receipts: dict[tuple[int, int], list[str]] = defaultdict(list)
        for (body,) in self.bench.sql(
            "SELECT body FROM events WHERE type = ? ORDER BY position", RECEIPT
        ):
            for news in _news.decode(b"[" + body + b"]"):
                for told_as in zip(news.ids, news.numbers, strict=True):
                    receipts[told_as].append(Status(news.status).public)
        for identifier, batch, number, status, sequence, account in self.bench.sql(
            "SELECT m.id, m.batch, m.number, m.status, m.sequence, n.name FROM messages AS m"
            " JOIN names AS n ON n.id = m.account"
        ):
            events = told.get(identifier, [])
            sequences = [event["sequence"] for event in events]
            assert sequences == sorted(set(sequences))
            names = [event["status"] for event in events]
            heard = [name for name in names if Status[name.upper()] in (Status.SENT, *FINAL)]
            # Of who was erased nobody can be told apart any more.
            assert not number or receipts[batch or identifier, number] == (
                heard if account == "a" else []
            )
            # One final status; only `unknown` may be followed, and only by evidence.
            finals = [Status[name.upper()] for name in names if Status[name.upper()] in FINAL]
            for before, after in pairwise(finals):
                assert before is Status.UNKNOWN
                assert after in TRANSITIONS[before]
            if status >= Status.SENT:
                assert names[-1] == Status(status).public
                assert sequences[-1] == sequence


Life.TestCase.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
