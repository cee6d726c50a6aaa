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
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway import metrics as m
from gateway.draft import Ask, Draft, content, new_messages, texts_of
from gateway.errors import AldisError, Refused
from gateway.ingress.smpp.answers import Answers, status_for, status_of, told_body
from gateway.ingress.smpp.bind import Bind
from gateway.ingress.smpp.ports import Clock, Store
from gateway.ingress.smpp.reading import SAR, Place, Shape, raw_part, recipient, text_of_parts
from gateway.model import Status
from gateway.store.messages import RawPart, Submission, WaitingPart
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

_LONGEST_ADDRESS: Final = 20
Key = tuple[str, str, str, str, int, int]


class Part:
    """One part that has come. `id` is what the customer was told, 0 until then."""

    __slots__ = ("as_payload", "asked", "id", "payload", "pdu", "shape")

    def __init__(self, pdu: Any, payload: bytes, as_payload: bool, shape: Shape) -> None:
        self.id = 0
        self.pdu = pdu
        self.payload = payload
        self.as_payload = as_payload
        self.shape = shape
        self.asked: list[tuple[Bind, Any]] = []
        """Who waits for its answer, and in which PDU; empty once that was given."""

    def tell(self, identifier: int, answers: Answers) -> None:
        """It is accepted, under this id."""
        self.id = identifier
        for bind, pdu in self.asked:
            answers.ok(bind, pdu, told_body(bind, identifier))
        self.asked = []

    def refuse(self, status: int, answers: Answers) -> None:
        """It is not accepted."""
        for bind, pdu in self.asked:
            answers.no(bind, pdu, status)
        self.asked = []


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


class Whole(NamedTuple):
    """A message to be stored; `told` are the parts that are answered then, with their ids. Where
    `draft.code` is set, it ends at once."""

    group: Group
    ask: Ask
    draft: Draft
    told: list[tuple[Part, int]]


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
        self._kept: dict[int, str] = {}
        self._orphans: list[WaitingPart] = []
        self._held: Counter[Login] = Counter()
        self._task: asyncio.Task[None] | None = None
        self.waiting = 0

    # ---- life

    async def start(self) -> None:
        """Take up what the store has kept. A login that is gone is kept for when it comes back."""
        self._orphans = await self._store.waiting_parts()
        self.take_up()
        if self._orphans:
            log.warning("parts of logins that are gone", extra={"parts": len(self._orphans)})

    def take_up(self) -> None:
        """Logins have come: parts that were kept for them go on."""
        orphans, self._orphans = self._orphans, []
        for kept in orphans:
            login = self._intake.logins.get(kept.system_id)
            if login is not None and login.account.name == kept.account:
                self._restore(login, kept)
            else:
                self._orphans.append(kept)
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

    def keeps(self, account: str, identifier: int) -> bool:
        """Whether this is the id of a part of the account's that waits for its others."""
        return self._kept.get(identifier) == account

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
        touched: dict[int, Group] = {}
        for bind, pdu, place, payload, shape in taken:
            group = self._add(bind, pdu, place, payload, shape, answers, ready, begun)
            if group is not None:
                touched[id(group)] = group
        if overdue:
            before = self._clock() - JOIN_WITHIN
            late = [group for group in self._groups.values() if group.since <= before]
            for group in late:
                del self._groups[group.key]
            ready += late
        try:
            await self._check_first(begun.values(), answers)
            await self._keep(touched.values(), answers)
        except Exception as error:  # noqa: BLE001  (see `_complain`)
            self._complain(error, "parts not kept")
            self._forget_unanswered(answers, status_for(error))
        await self._join(ready, answers)

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
    ) -> Group | None:
        """Put a part where it belongs; returns where, unless it was answered."""
        login = bind.login
        assert login is not None
        status = shape.status
        if place.total > login.account.max_parts:
            status = status or status_of("too_long")
        if len(pdu.destination_addr) > _LONGEST_ADDRESS:  # it could not be kept
            status = status or c.ESME_RINVDSTADR
        if status:
            answers.no(bind, pdu, status)
            return None
        key = (
            login.account.name, login.settings.system_id, pdu.source_addr, pdu.destination_addr,
            place.reference, place.total,
        )  # fmt: skip
        group = self._groups.get(key)
        if group is not None:
            known = group.parts.get(place.part)
            if known is not None and known.payload == payload:
                known.asked.append((bind, pdu))
                if known.id:
                    known.tell(known.id, answers)
                return None
            if known is not None:  # the customer has begun to use the reference again
                ready.append(self._groups.pop(key))
                begun.pop(key, None)
                group = None
        if self.waiting >= MOST_WAITING or self._held[login] >= MOST_OF_LOGIN:
            answers.no(bind, pdu, c.ESME_RMSGQFUL)
            return None
        if group is None:
            try:
                group = Group(key, login, place.total, self._clock(), shape)
            except PduError as error:
                answers.no(bind, pdu, error.command_status)
                return None
            self._groups[key] = begun[key] = group
        as_payload = not getattr(pdu, "short_message", b"")
        part = group.parts[place.part] = Part(pdu, payload, as_payload, shape)
        part.asked.append((bind, pdu))
        if len(group.parts) == group.total:
            ready.append(self._groups.pop(key))
            begun.pop(key, None)
        return group

    async def _check_first(self, begun: Any, answers: Answers) -> None:
        """What admission refuses whatever the rest says is refused with the first part."""
        for group in list(begun):
            if group.key not in self._groups:
                continue
            ask, draft = self._asked(group)
            ask.dry = True
            status = await self._admitted(ask, draft)
            if status:
                del self._groups[group.key]
                for part in group.parts.values():
                    part.refuse(status, answers)

    async def _keep(self, touched: Iterable[Group], answers: Answers) -> None:
        """Have the store keep the parts whose others have not come, then answer them."""
        new = [
            (group, part)
            for group in touched
            if self._groups.get(group.key) is group
            for part in group.parts.values()
            if part.asked
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
        for identifier, (group, part) in zip(ids, new, strict=True):
            self._kept[identifier] = group.login.account.name
            part.tell(identifier, answers)

    async def _join(self, groups: Sequence[Group], answers: Answers) -> None:
        """Of each group all parts are there, or all there will be: one message each, stored in one
        call."""
        going: list[Whole] = []
        for group in groups:
            try:
                whole = await self._judge(group, answers)
            except Exception as error:  # noqa: BLE001  (see `_complain`)
                self._complain(error, "parts not judged")
                self._put_back(group, answers, status_for(error))
            else:
                if whole is not None:
                    going.append(whole)
        if going:
            await self._accept(going, answers)

    async def _judge(self, group: Group, answers: Answers) -> Whole | None:
        """What a group becomes; None if nothing, and its parts were answered."""
        waiting = [part for part in group.parts.values() if part.asked]
        ids = iter(self._store.new_ids(len(waiting), self._clock()))
        told = [(part, next(ids)) for part in waiting]
        ask, draft = self._asked(group, {id(part): identifier for part, identifier in told})
        status = await self._admitted(ask, draft)
        if status and draft.code is None:  # for now: the store is away, or too much waits
            self._put_back(group, answers, status)
            return None
        if status:
            for part in waiting:
                part.refuse(status, answers)
            # Parts were accepted before the whole was refused: what they say together exists, and
            # ends with an event.
            group.parts = {place: part for place, part in group.parts.items() if part.id}
            if not group.parts:
                return None
            ask = self._asked(group)[0]
            _reject(draft, ask)
            told = []
        return Whole(group, ask, draft, told)

    async def _accept(self, going: Sequence[Whole], answers: Answers) -> None:
        submissions = []
        for group, ask, draft, told in going:
            shared, message = self._store.new_ids(2, self._clock())
            texts = texts_of([draft])
            (made,) = new_messages(ask, [draft], [message], texts)
            made.reason = draft.code or made.reason
            joined = [*group.accepted, *[identifier for _, identifier in told]]
            submissions.append(Submission(content(ask, shared), [made], joined=joined, texts=texts))
        try:
            await self._store.accept(submissions)
        except Exception as error:  # noqa: BLE001  (see `_complain`)
            if not isinstance(error, AldisError) and len(going) > 1:
                for whole in going:  # whichever it is, the others are not to wait for it
                    await self._accept([whole], answers)
                return
            self._complain(error, "parts not stored")
            for group, ask, *_ in going:
                ask.take_back()
                self._put_back(group, answers, status_for(error))
            return
        for group, _, draft, told in going:
            for identifier in group.accepted:
                self._kept.pop(identifier, None)
            if draft.code is None:
                self._tally.count(m.ACCEPTED, 1, group.login.account.name, draft.lane)
            for part, identifier in told:
                part.tell(identifier, answers)

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
        ask = self._intake.asking.ask(
            group.login, shape, text, now, group.send_at, group.validity, raw
        )
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
            ask.take_back()
            return c.ESME_RMSGQFUL
        return 0

    def _put_back(self, group: Group, answers: Answers, status: int) -> None:
        """The store is away: parts that were accepted wait on, the others are to be sent again."""
        for place, part in list(group.parts.items()):
            if part.asked:
                part.refuse(status, answers)
                del group.parts[place]
        if group.parts:
            group.since = self._clock()  # tried again in JOIN_WITHIN, not in every turn
            self._hold(group)

    def _hold(self, group: Group) -> None:
        """Have a group wait; under a key nobody's parts have if its own is another's by now."""
        if group.key in self._groups:
            group.key = (*group.key[:4], -group.accepted[0], group.total)
        self._groups[group.key] = group

    def _forget_unanswered(self, answers: Answers, status: int) -> None:
        for group in list(self._groups.values()):
            for place, part in list(group.parts.items()):
                if part.asked:
                    part.refuse(status, answers)
                    del group.parts[place]
            if not group.parts:
                del self._groups[group.key]

    def _restore(self, login: Login, kept: WaitingPart) -> None:
        found = self._intake.asking.reread(login, kept.pdu)
        if found is None:
            return
        pdu, place, payload, shape = found
        key = (
            kept.account, kept.system_id, pdu.source_addr, pdu.destination_addr, place.reference,
            place.total,
        )  # fmt: skip
        group = self._groups.get(key)
        if group is not None and place.part in group.parts:
            del self._groups[key]  # the customer had begun to use the reference again
            group.key = (*key[:4], -group.accepted[0], group.total)
            self._hold(group)
            group = None
        if group is None:
            try:
                group = self._groups[key] = Group(key, login, place.total, kept.at, shape)
            except PduError:  # it was good when it came
                return
        part = Part(pdu, payload, not getattr(pdu, "short_message", b""), shape)
        part.id = kept.id
        self._kept[kept.id] = kept.account
        group.parts[place.part] = part

    def _count(self) -> None:
        self.waiting = sum([len(group.parts) for group in self._groups.values()])
        self._held.clear()
        if self.waiting >= MOST_OF_LOGIN:  # else nobody can hold so many
            for group in self._groups.values():
                self._held[group.login] += len(group.parts)

    def _complain(self, error: Exception, what: str) -> None:
        if not isinstance(error, AldisError):
            log.error(what, exc_info=error)
            self._tally.count(m.TASK_ERRORS, 1, "smpp parts")


def _reject(draft: Draft, ask: Ask) -> None:
    """Make a draft that admission has refused fit to be stored: as a message that has ended."""
    draft.status, draft.due, draft.deadline = Status.REJECTED, ask.now, ask.now
    draft.parts = len(ask.raw)
    if not draft.number:  # refused before its number was read; it was good when the first part came
        to = draft.to if isinstance(draft.to, str) else draft.to[0]
        draft.number = int("".join(filter(str.isdecimal, to)) or 0)
