"""Opt-outs in bulk: a stream of any length, in constant memory.

In: NDJSON or CSV. Out: lists for the store, and the counts. What was recorded before a failure
stays recorded, and an import may simply be sent again: a refusal that stands is no error. When the
stream is over - or has broken off - what waits for those in the ledger is cancelled; from the
moment a list is recorded nothing leaves for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_args

import msgspec

from gateway.errors import AldisError
from gateway.ingress.http import answers_optouts as a
from gateway.ingress.http.answers import LineProblem
from gateway.ingress.http.call import Answer, Call, answer
from gateway.ingress.http.lines import Broken, Csv, Ndjson, Parsed, Reader, header_problem
from gateway.ingress.http.optouts import (
    COLUMNS,
    LEDGER,
    WrongNumber,
    entry,
    in_future,
    ledger_of,
    number_of,
)
from gateway.ingress.http.problem import Problem, UploadProgress, problem_for
from gateway.ingress.http.shapes_optouts import CategoryName, OptOutRequest
from gateway.ingress.http.uploads import SHOWN
from gateway.store.messages import OptOut

LIST: Final = 50_000
"""Entries recorded together: sorted by number they share pages of the table; about 12 MB. (300,000
into an empty ledger, one run each on a busy machine: 9 s, in lists of 20,000 16.)"""

IN_FUTURE: Final = "`at` is in the future"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")

_convert: Final = msgspec.convert


def _columns(names: list[str]) -> Callable[[list[str]], OptOutRequest]:
    """`number`, optionally the other columns of an export."""
    if "number" not in names:
        raise header_problem("it has no column `number`")
    for name in names:
        if name not in COLUMNS:
            raise header_problem(f"there is no column `{name}`; there are {', '.join(COLUMNS)}")
    number = names.index("number")
    others = [(place, name) for place, name in enumerate(names) if name != "number"]

    def request(row: list[str]) -> OptOutRequest:
        if not others:
            return OptOutRequest(number=row[number])
        given: dict[str, Any] = {"number": row[number]}
        for place, name in others:
            value = row[place].strip()
            if value:
                given[name] = value
        if given.pop("removed_at", None) is not None:
            raise Broken("invalid_value", "`removed_at`: it was taken back, so it is not imported")
        try:
            return _convert(given, OptOutRequest)
        except msgspec.ValidationError as error:
            # msgspec repeats a value only of an enumeration, and not even there ours.
            raise Broken("invalid_value", _told(error, given)) from None

    return request


def _told(error: msgspec.ValidationError, given: dict[str, Any]) -> str:
    text = str(error)
    field = text.rpartition("`$.")[2].rstrip("`")
    if field == "category":
        return f"`category`: one of {', '.join(get_args(CategoryName))}"
    if field == "at":
        return "`at` is an RFC 3339 time with an offset"
    return f"`{field}`: {len(given.get(field, ''))} characters are too many"


def ndjson() -> Ndjson[OptOutRequest]:
    """`application/x-ndjson`."""
    return Ndjson(OptOutRequest)


def csv() -> Csv[OptOutRequest]:
    """`text/csv`."""
    return Csv(_columns)


READERS: Final[dict[str, Callable[[], Reader[OptOutRequest]]]] = {
    "application/x-ndjson": ndjson,
    "text/csv": csv,
}


class Import:
    """One stream on its way into a ledger."""

    __slots__ = ("_call", "_counts", "_entries", "_ledger", "_problems", "_proof")

    def __init__(self, call: Call, ledger: str) -> None:
        self._call = call
        self._ledger = ledger
        self._proof: dict[str, Any] = {"actor": call.actor}
        self._entries: list[OptOut] = []
        self._counts = a.ImportCounts(0, 0, 0)
        self._problems: list[LineProblem] = []

    async def run(self, reader: Reader[OptOutRequest]) -> Answer:
        """Read to the end; the answer tells what became of every line."""
        canceled = 0
        try:
            await self._read(reader)
        except AldisError as error:
            raise self._stopped(problem_for(error)) from error
        except Problem as problem:
            raise self._stopped(problem) from None
        finally:
            if self._counts.recorded:
                service = self._call.service
                canceled = await service.store.cancel_opted_out(self._ledger, service.clock())
        return answer(200, a.OptOutImport(self._counts, canceled, self._problems))

    async def _read(self, reader: Reader[OptOutRequest]) -> None:
        begun = False
        async for chunk in self._call.chunks():
            if not begun and chunk.startswith(_UTF_16):
                raise Problem("invalid_utf8", "the body is UTF-16; save it as UTF-8", close=True)
            begun = True
            self._take(reader.feed(chunk))
            while len(self._entries) >= LIST:
                await self._record()
        if not begun:
            raise Problem("empty_body", "the request has no body")
        self._take(reader.finish())
        while self._entries:
            await self._record()

    def _take(self, parsed: Parsed[OptOutRequest]) -> None:
        now = self._call.now
        problems = parsed.problems
        for line, request in zip(parsed.lines, parsed.entries, strict=True):
            try:
                number = number_of(request)
            except WrongNumber as error:
                problems.append(LineProblem(line, "invalid_number", error.detail))
                continue
            if in_future(request, now):
                problems.append(LineProblem(line, "invalid_value", IN_FUTURE))
                continue
            self._entries.append(entry(self._ledger, request, number, now, "import", self._proof))
        self._counts.malformed += len(problems)
        room = SHOWN - len(self._problems)
        if problems and room > 0:
            problems.sort(key=_line)
            self._problems += problems[:room]

    async def _record(self) -> None:
        some, self._entries = self._entries[:LIST], self._entries[LIST:]
        new = await self._call.service.store.import_opt_outs(some)
        self._counts.recorded += new
        self._counts.known += len(some) - new

    def _stopped(self, problem: Problem) -> Problem:
        counts = self._counts
        problem.counts = UploadProgress(counts.recorded + counts.known, 0, counts.malformed)
        # The rest of the stream is unread, and it may be endless.
        problem.close = True
        return problem


def _line(problem: LineProblem) -> int:
    return problem.line


async def import_entries(call: Call) -> Answer:
    """Record a stream of refusals."""
    ledger = ledger_of(call, call.query(LEDGER))
    reader = READERS[call.media]()
    importing = call.service.importing
    if ledger in importing:
        raise Problem(
            "upload_in_flight",
            "wait for the account's other import to end",
            headers=[("Retry-After", "1")],
            close=True,
        )
    importing.add(ledger)
    try:
        return await Import(call, ledger).run(reader)
    finally:
        importing.discard(ledger)
