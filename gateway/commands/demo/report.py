"""What became of the campaign, in figures a customer would ask for.

In: what the API told, what the webhook endpoint received. Out: aligned lines, and a list of what
does not add up. Pure: it counts and formats. No number is shown in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from bench.sink import Sink
from gateway.errors import REASONS
from gateway.ingress.http import answers as a
from gateway.model import FINAL, STATUS_NAMES

FINAL_NAMES = tuple(STATUS_NAMES[status] for status in sorted(FINAL))
_SHORTEST_SHOWN = 5
"""Digits of a cell shown in part: the first three and the last two."""


class Sent(msgspec.Struct):
    """One language's batch and what came of it."""

    id: str
    language: str
    rows: int
    upload: a.UploadResult
    started: datetime
    problems: list[tuple[int, str]]
    """(line of the file, what is wrong) of rows that could not be read."""
    messages: list[a.MessageOut] = []
    ineligible: list[a.IneligibleOut] = []


class Received(msgspec.Struct):
    """What the webhook endpoint counted (see `bench.sink.Sink`)."""

    events: int
    posts: int
    signatures_checked: int
    signatures_bad: int
    contradicted: int
    finals: dict[str, int]


def received(sink: Sink) -> Received:
    """The endpoint's counts as they are now."""
    return Received(
        sink.events,
        sink.posts,
        sink.signatures_checked,
        sink.signatures_bad,
        sink.contradicted,
        dict(sink.finals),
    )


def lines(sent: Sequence[Sent], received: Received, rates: dict[str, float]) -> Iterator[str]:
    """The report. rates: PDU/s each operator grants, by name."""
    messages = [message for one in sent for message in one.messages]
    yield from _came_in(sent)
    yield ""
    yield from _parts(messages)
    yield ""
    yield from _languages(sent)
    yield ""
    yield from _operators(messages)
    yield ""
    yield from _speed(sent, messages, rates)
    yield ""
    yield from _events(messages, received)


def disagreements(sent: Sequence[Sent], received: Received) -> list[str]:
    """What must not be: sentences, none when all is well."""
    found: list[str] = []
    for one in sent:
        counts = one.upload.counts
        told = counts.accepted + counts.ineligible + counts.malformed
        if told != one.rows:
            found.append(f"{one.language}: {one.rows} rows went up, {told} were accounted for")
        if (len(one.messages), len(one.ineligible)) != (counts.accepted, counts.ineligible):
            found.append(f"{one.language}: the export and the upload's answer differ")
    messages = [message for one in sent for message in one.messages]
    open_ = Counter[str](one.status for one in messages if one.status not in FINAL_NAMES)
    if open_:
        found.append(f"no final status: {_listed(open_)}")
    ended = {one.id for one in messages if one.status in FINAL_NAMES}
    silent = len(ended - received.finals.keys())
    if silent:
        found.append(f"{silent} messages ended without an event")
    if received.contradicted:
        found.append(f"{received.contradicted} messages ended twice and differently")
    if received.signatures_bad:
        found.append(f"{received.signatures_bad} POSTs of events had no good signature")
    return found


def _came_in(sent: Sequence[Sent]) -> Iterator[str]:
    rows = sum(one.rows for one in sent)
    accepted = sum(one.upload.counts.accepted for one in sent)
    excluded = [one for batch in sent for one in batch.ineligible]
    broken = [problem for one in sent for problem in one.problems]
    yield f"CAME IN            {rows:,} rows"
    yield f"  accepted        {accepted:6,}"
    yield f"  ineligible      {len(excluded):6,}"
    by_code: dict[str, list[a.IneligibleOut]] = {}
    for one in excluded:
        by_code.setdefault(one.reason.code, []).append(one)
    for code, group in sorted(by_code.items(), key=lambda item: -len(item[1])):
        example = next((one for one in group if one.to.strip()), group[0])
        why = example.reason.text
        yield f"    {code:20}{len(group):4}   {masked(example.to)}: {why}"
    yield f"  unreadable      {len(broken):6,}"
    for line, detail in sorted(broken):
        yield f"    line {line:<19}   {detail}"


def _parts(messages: Sequence[a.MessageOut]) -> Iterator[str]:
    parts: Counter[str] = Counter()
    sizes: dict[str, Counter[int]] = {}
    for one in messages:
        parts[one.encoding] += one.parts
        sizes.setdefault(one.encoding, Counter())[one.parts] += 1
    widest = max((one.parts for one in messages), default=1)
    headings = ["1 part", *[f"{count} parts" for count in range(2, widest + 1)]]
    yield from table(
        ["ENCODED", "messages", *headings, "parts in all"],
        [
            [
                name,
                sum(sizes[name].values()),
                *[sizes[name][n] for n in range(1, widest + 1)],
                count,
            ]
            for name, count in parts.most_common()
        ],
    )


def _languages(sent: Sequence[Sent]) -> Iterator[str]:
    yield from table(
        ["LANGUAGES", "rows", "accepted", "gsm parts", "ucs2 parts", "delivered"],
        [
            [
                one.language,
                one.rows,
                len(one.messages),
                sum(m.parts for m in one.messages if m.encoding == "gsm"),
                sum(m.parts for m in one.messages if m.encoding == "ucs2"),
                sum(m.status == "delivered" for m in one.messages),
            ]
            for one in sent
        ],
    )


def _operators(messages: Sequence[a.MessageOut]) -> Iterator[str]:
    seen = {one.status for one in messages}
    statuses = [name for name in dict.fromkeys((*FINAL_NAMES, *STATUS_NAMES)) if name in seen]
    by_carrier: dict[str, Counter[str]] = {}
    for one in messages:
        by_carrier.setdefault(one.carrier or "none yet", Counter())[one.status] += 1
    yield from table(
        ["OPERATORS", "messages", *statuses],
        [
            [carrier, counts.total(), *[counts[name] for name in statuses]]
            for carrier, counts in sorted(by_carrier.items())
        ],
    )
    reasons = Counter(
        (one.carrier or "none yet", one.reason.code) for one in messages if one.reason is not None
    )
    for (carrier, code), count in reasons.most_common():
        yield f"  {count:4} {code} at {carrier}: {REASONS[code].text}"
    retried = sum(one.attempts > 1 for one in messages)
    if retried:
        yield f"  {retried:4} of them took more than one attempt"


def _speed(
    sent: Sequence[Sent], messages: Sequence[a.MessageOut], rates: dict[str, float]
) -> Iterator[str]:
    ended = [one for one in messages if one.status in FINAL_NAMES]
    if not ended:
        yield "SPEED              nothing ended"
        return
    started = {one.id: one.started for one in sent}
    first = min(started.values())
    last = max(one.updated_at for one in ended)
    seconds = max((last - first).total_seconds(), 1e-6)
    parts = sum(one.parts for one in ended)
    pace, parts_pace = len(ended) / seconds, parts / seconds
    yield (
        f"SPEED              {pace:,.0f} messages/s, {parts_pace:,.0f} parts/s: "
        f"{len(ended):,} messages, {parts:,} parts in {seconds:.1f} s"
    )
    granted = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
    yield f"  first start to last receipt. The operators grant so many parts/s: {granted}"
    took = _durations(ended, started)
    middle, late = took[len(took) // 2][0], took[int(len(took) * 0.99)][0]
    slowest, message = took[-1]
    yield (
        f"  start to end of one: median {middle:.1f} s, 99 % within {late:.1f} s, "
        f"slowest {slowest:.1f} s"
    )
    yield (
        f"  slowest: {message.id}, {message.status} at {message.carrier or 'no operator'}, "
        f"{message.parts} part(s), {message.attempts} attempt(s)"
    )


def _durations(
    ended: Iterable[a.MessageOut], started: dict[str, datetime]
) -> list[tuple[float, a.MessageOut]]:
    took = [((one.updated_at - started[one.batch_id or ""]).total_seconds(), one) for one in ended]
    return sorted(took, key=lambda pair: pair[0])


def _events(messages: Sequence[a.MessageOut], received: Received) -> Iterator[str]:
    good = received.signatures_checked - received.signatures_bad
    yield (
        f"EVENTS             {received.events:,} in {received.posts:,} POSTs, "
        f"{good:,} of {received.signatures_checked:,} signatures good"
    )
    yield f"  {len(received.finals):,} messages ended by event, {len(messages):,} accepted"


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Aligned columns: the first to the left, figures to the right, and a sum if it has any."""
    if len(rows) > 1:
        sums = [sum(row[place] for row in rows) for place in range(1, len(headings))]
        rows = [*rows, ["all", *sums]]
    yield f"{headings[0]:15}" + "".join(f"  {name:>11}" for name in headings[1:])
    for row in rows:
        yield f"  {row[0]:13}" + "".join(f"  {value:11,}" for value in row[1:])


def masked(cell: str) -> str:
    """A recipient's cell with the middle digits of its number hidden, spelling kept."""
    places = [place for place, char in enumerate(cell) if char.isdigit()]
    if len(places) <= _SHORTEST_SHOWN:
        return repr(cell)
    hidden = set(places[3:-2])
    return repr("".join("*" if place in hidden else char for place, char in enumerate(cell)))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
