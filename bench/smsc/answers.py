"""What becomes of the submits of one bind: verdicts, responses now or later, receipts, records.

In: the submits of one read, as lists. Out: octets on the bind's queue, receipts with its ESME.
It may not know how a read is cut into PDUs.
"""

import time
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final, cast

from bench.smsc import receipts
from bench.smsc.record import Submit
from bench.smsc.verdict import SILENT
from bench.smsc.wheel import Wheel
from protocol import constants as c
from protocol.pdu import SubmitSm, decode

if TYPE_CHECKING:
    from bench.smsc.server import SimulatedSmsc
    from bench.smsc.session import Session

_HEADER: Final = Struct(">IIII")
_RECEIPT_WISH: Final = 0x03  # registered_delivery bits 0-1, 3.4 §5.2.17
_ON_FAILURE_ONLY: Final = 2
# After the response in time as well, where both are due at once: one slot of the wheel later.
_NEXT_SLOT: Final = 0.002


class Answers:
    """The submits of one bind from their arrival to their answer."""

    def __init__(self, bind: "Session", smsc: "SimulatedSmsc") -> None:
        self._bind = bind
        self._smsc = smsc
        self._waiting: Wheel[tuple[int, bytes]] = Wheel(smsc.loop, self._due)
        self._unanswered = 0
        self._since_cut = 0

    def drop(self) -> None:
        """The bind is gone: nothing waits any more."""
        self._waiting.drop()

    def settle(self) -> None:
        """The bind takes leave: queue what is still owed."""
        self._due(self._waiting.drop())

    def take(
        self,
        data: bytes,
        numbers: list[int],
        parties: list[bytes],
        wishes: list[int],
        spans: list[tuple[int, int]],
    ) -> None:
        """Judge, answer and record submits; `spans` is where each stands in `data`."""
        smsc = self._smsc
        behaviour = smsc.behaviour
        counters = smsc.counters
        cut = self._cut_after(len(numbers))
        if cut is not None:
            numbers, parties, wishes = numbers[:cut], parties[:cut], wishes[:cut]
        counters.submits += len(numbers)
        unanswered = self._unanswered + len(numbers)
        if unanswered > counters.window_peak:
            counters.window_peak = unanswered
        now = time.monotonic()
        verdicts: list[int] | None = None
        taken_numbers, taken_parties = numbers, parties
        if not smsc.judge.clean or smsc.script:
            verdicts = smsc.judge.verdicts(
                parties, self._unanswered, self._bind.owner.bucket, smsc.script, smsc.dice, now
            )
            taken = [i for i, verdict in enumerate(verdicts) if verdict in (c.ESME_ROK, SILENT)]
            taken_numbers = [numbers[i] for i in taken]
            taken_parties = [parties[i] for i in taken]
            wishes = [wishes[i] for i in taken]
        ids = smsc.take_ids(len(taken_numbers))
        write_id, _ = smsc.id_writers
        texts = list(map(write_id, ids))
        if verdicts is None:
            answers = _accept(taken_numbers, texts, behaviour.response_body)
            counters.accepted += len(answers)
        else:
            answers = self._verdicts_as_answers(numbers, verdicts, texts)
        if cut is not None:
            counters.cut += 1
            if verdicts is None or verdicts[-1] != SILENT:
                answers.pop()
        if smsc.audit is not None:
            counters.not_recorded += smsc.audit.note(taken_parties, now)
        if smsc.record:
            self._record(data, spans, verdicts, texts, now)

        if behaviour.receipts_first:
            self.make_receipts(ids, taken_parties, wishes, 0.0)
        latency = behaviour.latency
        if behaviour.jitter:
            self._answer_each(answers)
            latency += behaviour.jitter
        elif latency:
            self._answer_later(latency, answers)
        else:
            self._bind.queue(answers)
            counters.answered += len(answers)
        if cut is not None:
            self._bind.hang_up()
        if not behaviour.receipts_first:
            self.make_receipts(ids, taken_parties, wishes, latency)

    def _cut_after(self, count: int) -> int | None:
        """After how many of these submits to hang up, if at all."""
        behaviour = self._smsc.behaviour
        cut: int | None = None
        if behaviour.disconnect_every:
            left = behaviour.disconnect_every - self._since_cut
            if left <= count:
                cut = max(1, left)
            self._since_cut += count
        if behaviour.disconnect:
            dice = self._smsc.dice
            for index in range(count if cut is None else cut):
                if dice.random() < behaviour.disconnect:
                    return index + 1
        return cut

    def _verdicts_as_answers(
        self, numbers: list[int], verdicts: list[int], texts: list[bytes]
    ) -> list[bytes]:
        """Responses of mixed statuses; silent submits get theirs late or never."""
        behaviour = self._smsc.behaviour
        counters = self._smsc.counters
        pack = _HEADER.pack
        answers: list[bytes] = []
        late: list[bytes] = []
        ids = iter(texts)
        for number, verdict in zip(numbers, verdicts, strict=True):
            if verdict == c.ESME_ROK:
                answers += _accept([number], [next(ids)], behaviour.response_body)
                counters.accepted += 1
            elif verdict == SILENT:
                late += _accept([number], [next(ids)], behaviour.response_body)
            else:
                body = b"\0" if behaviour.response_body == "always" else b""
                answers.append(pack(16 + len(body), c.SUBMIT_SM_RESP, verdict, number) + body)
                counters.statuses[verdict] = counters.statuses.get(verdict, 0) + 1
                if verdict == c.ESME_RTHROTTLED:
                    counters.throttled += 1
                elif verdict == c.ESME_RMSGQFUL:
                    counters.queue_full += 1
                else:
                    counters.refused += 1
        counters.silent += len(late)
        if late and behaviour.late_after:
            counters.late += len(late)
            self._waiting.add(behaviour.late_after, ((0, answer) for answer in late))
        return answers

    def _answer_later(self, delay: float, answers: list[bytes]) -> None:
        self._unanswered += len(answers)
        self._waiting.add(delay, ((len(answers), b"".join(answers)),))

    def _answer_each(self, answers: list[bytes]) -> None:
        behaviour = self._smsc.behaviour
        random = self._smsc.dice.random
        for answer in answers:
            self._answer_later(behaviour.latency + behaviour.jitter * random(), [answer])

    def _due(self, items: list[tuple[int, bytes]]) -> None:
        count = sum(count for count, _ in items)
        self._unanswered -= count
        self._smsc.counters.answered += count
        self._bind.queue([octets for _, octets in items])
        self._bind.flush()
        self._smsc.changed()

    def make_receipts(
        self, ids: range, parties: list[bytes], wishes: list[int], after: float
    ) -> None:
        """Make the receipts for submits taken with these ids, answered `after` seconds from now."""
        smsc = self._smsc
        behaviour = smsc.behaviour
        if not parties:
            return
        if behaviour.enroute:
            wanting = [i for i, wish in enumerate(wishes) if wish & _RECEIPT_WISH]
            self._post_receipts("ENROUTE", wanting, ids, parties, after, 0.0)
        for stat, indexes in smsc.judge.stats(parties, smsc.dice).items():
            wanting = [
                i
                for i in indexes
                if (wish := wishes[i] & _RECEIPT_WISH)
                and (wish != _ON_FAILURE_ONLY or stat != "DELIVRD")
            ]
            self._post_receipts(stat, wanting, ids, parties, after, behaviour.receipt_delay)

    def _post_receipts(
        self,
        stat: str,
        indexes: list[int],
        ids: range,
        parties: list[bytes],
        after: float,
        delay: float,
    ) -> None:
        if not indexes:
            return
        smsc = self._smsc
        behaviour = smsc.behaviour
        if len(indexes) < len(parties):
            parties = [parties[i] for i in indexes]
        _, write_id = smsc.id_writers
        texts = [write_id(ids[i]) for i in indexes]
        now = int(time.time() * 1_000_000)
        done = now + int((after + delay) * 1_000_000)
        made = receipts.bodies(behaviour.receipt_format, stat, texts, parties, now, done)
        smsc.counters.receipts += len(made)
        own = self._bind if behaviour.receipt_route == "same" and not self._bind.closed else None
        if own is None or not own.room:
            self._bind.flush(now=True)  # another bind must not overtake the responses of this one
        if after:
            delay += after + _NEXT_SLOT
        if delay and behaviour.receipt_jitter and stat != "ENROUTE":
            random = smsc.dice.random
            delays = [delay + behaviour.receipt_jitter * random() for _ in made]
            self._bind.owner.post_each(made, delays, own)
        else:
            self._bind.owner.post(made, delay, own)

    def _record(
        self,
        data: bytes,
        spans: list[tuple[int, int]],
        verdicts: list[int] | None,
        texts: list[bytes],
        now: float,
    ) -> None:
        smsc = self._smsc
        ids = iter(texts)
        for index, verdict in enumerate(verdicts or [c.ESME_ROK] * len(texts)):
            taken = verdict in (c.ESME_ROK, SILENT)
            message_id = next(ids).decode() if taken else ""
            if len(smsc.submits) >= smsc.record_limit:
                smsc.counters.not_recorded += 1
                continue
            pdu = cast(SubmitSm, decode(data, *spans[index]))
            status = None if verdict == SILENT else verdict
            smsc.submits.append(
                Submit(now, self._bind.owner.system_id, self._bind.number, pdu, status, message_id)
            )


def _accept(numbers: Sequence[int], texts: Sequence[bytes], response_body: str) -> list[bytes]:
    """submit_sm_resp with message ids, or bare ones."""
    pack = _HEADER.pack
    if response_body == "never":
        return [pack(16, c.SUBMIT_SM_RESP, 0, number) for number in numbers]
    return [
        pack(17 + len(text), c.SUBMIT_SM_RESP, 0, number) + text + b"\0"
        for number, text in zip(numbers, texts, strict=True)
    ]
