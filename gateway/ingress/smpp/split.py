"""Messages that customers split themselves: their parts are joined, checked as one, sent as they
came.

In: parts, in the order they came. Out: one message with all its parts once the last has come, or
with what there is after `JOIN_WITHIN`. A part whose others have not come is kept by the store
before it is answered, so nothing accepted is lost. One list at a time: the order of parts is the
point. Knows intake's way to admission and the store.

Parts belong together by (login, sender, recipient, reference, total), in any order of arrival. The
same part again is a repetition and is answered with the id it had; another text under the same
number begins a new message, and the old one goes as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from gateway import metrics as m
from gateway.draft import Ask, Draft, content, new_messages
from gateway.errors import AldisError, Refused
from gateway.ingress.smpp.answers import Answers, status_for, status_of, told_body
from gateway.ingress.smpp.bind import Bind
from gateway.ingress.smpp.ports import Clock, Store
from gateway.ingress.smpp.reading import SAR, Place, Shape, raw_part, recipient, text_of_parts
from gateway.model import Status
from gateway.store.contract import RawPart, Submission, WaitingPart
from gateway.tally import Tally
from protocol import constants as c
from protocol.errors import PduError
from protocol.pdu import encode

if TYPE_CHECKING:
    from gateway.ingress.smpp.intake import Intake
    from gateway.ingress.smpp.logins import Login

log = logging.getLogger("aldis.ingress")

SECOND: Final = 1_000_000
JOIN_WITHIN: Final = 60 * SECOND
"""How long a part waits for its others, µs. A customer sends them within a second; one that is
throttled or reconnects in between, within a minute."""
MOST_WAITING: Final = 20_000
"""Parts that may wait at once, of all customers; beyond it ESME_RMSGQFUL. About 1 KiB each."""
MOST_OF_LOGIN: Final = 5_000
"""And of one, so that one customer's halves do not fill it."""

Key = tuple[str, str, str, str, int, int]


class Part:
    """One part that has come. `id` is what the customer was told, 0 until then."""

    __slots__ = ("as_payload", "bind", "id", "payload", "pdu", "shape")

    def __init__(
        self, pdu: Any, payload: bytes, as_payload: bool, shape: Shape, bind: Bind | None
    ) -> None:
        self.id = 0
        self.pdu = pdu
        self.payload = payload
        self.as_payload = as_payload
        self.shape = shape
        self.bind = bind
        """Who waits for its answer; None once that was given."""


class Group:
    """What has come of one message."""

    __slots__ = ("key", "login", "parts", "send_at", "since", "total", "validity")

    def __init__(self, key: Key, login: Login, total: int, since: int, shape: Shape) -> None:
        """Raises PduError for times that make no sense; relative ones count from the first part."""
        self.key = key
        self.login = login
        self.total = total
        self.since = since
        self.send_at, self.validity = shape.times(since)
        self.parts: dict[int, Part] = {}

    @property
    def accepted(self) -> list[int]:
        """Ids of parts that were answered already."""
        return [part.id for part in self.parts.values() if part.id]


class Split:
    """All parts of all customers."""

    def __init__(self, intake: Intake, store: Store, clock: Clock, tally: Tally) -> None:
        self._intake = intake
        self._store = store
        self._clock = clock
        self._tally = tally
        self._groups: OrderedDict[Key, Group] = OrderedDict()
        self._queue: list[tuple[Bind, Any, Place, bytes, Shape]] = []
        self._overdue = False
        self._task: asyncio.Task[None] | None = None
        self.waiting = 0

    # ---- life

    async def start(self) -> None:
        """Take up what the store has kept. A login that is gone is kept for when it comes back."""
        logins = self._intake.logins
        for kept in await self._store.waiting_parts():
            login = logins.get(kept.system_id)
            if login is not None and login.account.name == kept.account:
                self._restore(login, kept)
        self._count()

    def put(self, bind: Bind, pdu: Any, place: Place, payload: bytes, shape: Shape) -> None:
        """One part has come; its turn comes at the end of this turn of the loop."""
        self._queue.append((bind, pdu, place, payload, shape))
        self._run()

    def tick(self) -> None:
        """Whoever has waited long enough goes as it is."""
        oldest = next(iter(self._groups.values()), None)
        if oldest is not None and oldest.since + JOIN_WITHIN <= self._clock():
            self._overdue = True
            self._run()

    async def finished(self, timeout: float) -> None:
        """Wait until every part taken so far is answered."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=timeout)

    def _run(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="smpp parts")

    async def _work(self) -> None:
        try:
            while self._queue or self._overdue:
                taken, self._queue = self._queue, []
                overdue, self._overdue = self._overdue, False
                answers = Answers(self._tally)
                try:
                    await self._take(taken, overdue, answers)
                except Exception as error:
                    log.exception("parts not taken")
                    self._tally.count(m.TASK_ERRORS, 1, "smpp parts")
                    self._forget_unanswered(answers, status_for(error))
                answers.send()
                self._count()
        finally:
            self._task = None

    # ---- one list

    async def _take(
        self, taken: list[tuple[Bind, Any, Place, bytes, Shape]], overdue: bool, answers: Answers
    ) -> None:
        ready: list[Group] = []
        begun: dict[Key, Group] = {}
        for bind, pdu, place, payload, shape in taken:
            self._add(bind, pdu, place, payload, shape, answers, ready, begun)
        if overdue:
            before = self._clock() - JOIN_WITHIN
            late = [group for group in self._groups.values() if group.since <= before]
            for group in late:
                del self._groups[group.key]
            ready += late
        await self._check_first(begun.values(), answers)
        try:
            await self._keep(answers)
        except AldisError as error:
            self._forget_unanswered(answers, status_for(error))
        for group in ready:
            await self._join(group, answers)

    def _add(
        self,
        bind: Bind,
        pdu: Any,
        place: Place,
        payload: bytes,
        shape: Shape,
        answers: Answers,
        ready: list[Group],
        begun: dict[Key, Group],
    ) -> None:
        login = bind.login
        assert login is not None
        status = shape.status
        if place.total > login.account.max_parts:
            status = status or status_of("too_long")
        if status:
            answers.no(bind, pdu, status)
            return
        key = (
            login.account.name, login.settings.system_id, pdu.source_addr, pdu.destination_addr,
            place.reference, place.total,
        )  # fmt: skip
        group = self._groups.get(key)
        if group is not None:
            known = group.parts.get(place.part)
            if known is not None and known.payload == payload and known.id:
                answers.ok(bind, pdu, told_body(bind, known.id))
                return
            if known is not None:  # the customer has begun to use the reference again
                ready.append(self._groups.pop(key))
                begun.pop(key, None)
                group = None
        if self.waiting >= MOST_WAITING or self._of_login(login) >= MOST_OF_LOGIN:
            answers.no(bind, pdu, c.ESME_RMSGQFUL)
            return
        if group is None:
            try:
                group = Group(key, login, place.total, self._clock(), shape)
            except PduError as error:
                answers.no(bind, pdu, error.command_status)
                return
            self._groups[key] = begun[key] = group
        as_payload = not getattr(pdu, "short_message", b"")
        group.parts[place.part] = Part(pdu, payload, as_payload, shape, bind)
        if len(group.parts) == group.total:
            ready.append(self._groups.pop(key))
            begun.pop(key, None)

    async def _check_first(self, begun: Any, answers: Answers) -> None:
        """What admission refuses whatever the rest says is refused with the first part."""
        for group in list(begun):
            if group.key not in self._groups:
                continue
            ask, draft = self._asked(group)
            status = await self._admitted(ask, draft)
            if status:
                del self._groups[group.key]
                for part in group.parts.values():
                    if part.bind is not None:
                        answers.no(part.bind, part.pdu, status)

    async def _keep(self, answers: Answers) -> None:
        """Have the store keep the parts whose others have not come, then answer them."""
        new = [
            (group, part)
            for group in self._groups.values()
            for part in group.parts.values()
            if part.bind is not None
        ]
        if not new:
            return
        now = self._clock()
        ids = self._store.new_ids(len(new), now)
        await self._store.keep_parts(
            [
                WaitingPart(
                    identifier,
                    group.login.account.name,
                    group.login.settings.system_id,
                    now,
                    encode(part.pdu),
                )
                for identifier, (group, part) in zip(ids, new, strict=True)
            ]
        )
        for identifier, (_, part) in zip(ids, new, strict=True):
            assert part.bind is not None
            part.id = identifier
            answers.ok(part.bind, part.pdu, told_body(part.bind, identifier))
            part.bind = None

    async def _join(self, group: Group, answers: Answers) -> None:
        """All parts are there, or all there will be: one message."""
        waiting = [part for part in group.parts.values() if part.bind is not None]
        ids = iter(self._store.new_ids(len(waiting), self._clock()))
        told = [(part, next(ids)) for part in waiting]
        names = {id(part): identifier for part, identifier in told}
        ask, draft = self._asked(group, names)
        status = await self._admitted(ask, draft)
        accepted = group.accepted
        if status and draft.code is None:  # for now: the store is away, or too much waits
            self._put_back(group, answers, status)
            return
        if status:
            for part in waiting:
                assert part.bind is not None
                answers.no(part.bind, part.pdu, status)
            if not accepted:
                return
            # Parts were accepted before the whole was refused: what they say together exists, and
            # ends with an event.
            group.parts = {place: part for place, part in group.parts.items() if part.id}
            ask = self._asked(group)[0]
            _reject(draft, ask)
        shared, message = self._store.new_ids(2, self._clock())
        (made,) = new_messages(ask, [draft], [message])
        if status:
            made.reason = draft.code
        joined = [*accepted, *(() if status else (identifier for _, identifier in told))]
        try:
            await self._store.accept([Submission(content(ask, shared), [made], joined=joined)])
        except Exception as error:
            if not isinstance(error, AldisError):
                log.exception("parts not stored")
                self._tally.count(m.TASK_ERRORS, 1, "smpp parts")
            self._put_back(group, answers, status_for(error))
            return
        if not status:
            self._tally.count(m.ACCEPTED, 1, group.login.account.name, draft.lane)
            for part, identifier in told:
                assert part.bind is not None
                answers.ok(part.bind, part.pdu, told_body(part.bind, identifier))

    # ---- within

    def _asked(self, group: Group, names: dict[int, int] | None = None) -> tuple[Ask, Draft]:
        """The group as admission takes a message: its text is what its parts say together."""
        parts = [group.parts[place] for place in sorted(group.parts)]
        first = parts[0]
        shape, now = first.shape, self._clock()
        raw = tuple([self._raw(part, (names or {}).get(id(part), part.id)) for part in parts])
        text = text_of_parts(
            [(part.payload, part.shape.encoding, part.shape.esm_class) for part in parts]
        )
        ask = self._intake.ask(group.login, shape, text, now, group.send_at, group.validity, raw)
        return ask, Draft(recipient(first.pdu.destination_addr, shape.dest_addr_ton))

    def _raw(self, part: Part, identifier: int) -> RawPart:
        sar = tuple([each for each in part.pdu.tlvs if each[0] in SAR])
        return raw_part(identifier, part.shape, part.payload, part.as_payload, sar)

    async def _admitted(self, ask: Ask, draft: Draft) -> int:
        """0 if admission lets the message pass, else what the customer hears; `draft.code` says
        why, and is None where it may pass later."""
        account = ask.account
        try:
            passed = await self._intake.admission.admit(ask, [draft])
        except Refused as error:
            draft.code = error.reason.code
            self._tally.count(m.INELIGIBLE, 1, account.name, error.reason.code)
            return status_for(error)
        except AldisError as error:
            return status_for(error)
        if not passed:
            self._tally.count(m.INELIGIBLE, 1, account.name, draft.code or "")
            return status_of(draft.code or "invalid_number", draft.pointer)
        if self._store.waiting(account.name) + 1 > account.max_waiting:
            return c.ESME_RMSGQFUL
        return 0

    def _put_back(self, group: Group, answers: Answers, status: int) -> None:
        """The store is away: parts that were accepted wait on, the others are to be sent again."""
        for place, part in list(group.parts.items()):
            if part.bind is not None:
                answers.no(part.bind, part.pdu, status)
                del group.parts[place]
        if group.parts and group.key not in self._groups:
            group.since = self._clock()  # tried again in JOIN_WITHIN, not in every turn
            self._groups[group.key] = group

    def _forget_unanswered(self, answers: Answers, status: int) -> None:
        for group in list(self._groups.values()):
            for place, part in list(group.parts.items()):
                if part.bind is not None:
                    answers.no(part.bind, part.pdu, status)
                    del group.parts[place]
            if not group.parts:
                del self._groups[group.key]

    def _restore(self, login: Login, kept: WaitingPart) -> None:
        found = self._intake.reread(login, kept.pdu)
        if found is None:
            return
        pdu, place, payload, shape = found
        key = (
            kept.account, kept.system_id, pdu.source_addr, pdu.destination_addr, place.reference,
            place.total,
        )  # fmt: skip
        group = self._groups.get(key)
        if group is None:
            try:
                group = self._groups[key] = Group(key, login, place.total, kept.at, shape)
            except PduError:  # it was good when it came
                return
        part = Part(pdu, payload, not getattr(pdu, "short_message", b""), shape, None)
        part.id = kept.id
        group.parts[place.part] = part

    def _of_login(self, login: Login) -> int:
        if self.waiting < MOST_OF_LOGIN:
            return 0
        return sum(len(group.parts) for group in self._groups.values() if group.login is login)

    def _count(self) -> None:
        self.waiting = sum(len(group.parts) for group in self._groups.values())


def _reject(draft: Draft, ask: Ask) -> None:
    """Make a draft that admission has refused fit to be stored: as a message that has ended."""
    draft.status, draft.due, draft.deadline = Status.REJECTED, ask.now, ask.now
    draft.parts = len(ask.raw)
    if not draft.number:  # refused before its number was read; it was good when the first part came
        to = draft.to if isinstance(draft.to, str) else draft.to[0]
        draft.number = int("".join(filter(str.isdecimal, to)) or 0)
