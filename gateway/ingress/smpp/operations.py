"""query_sm, cancel_sm, replace_sm: what customers ask about messages they have submitted.

In: the requests of one read. Out: answers, after the commit of what they change. Ids are those the
customer was told: of a message, of a part it split itself, or of a submit_multi, which is a batch.
Knows the store's contract; what a new text must pass is admission's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from gateway import metrics as m
from gateway.draft import Ask, Draft, content, undone_on_error
from gateway.errors import AldisError, Refused
from gateway.ingress.smpp.answers import status_for, status_of
from gateway.ingress.smpp.asking import TEXT
from gateway.ingress.smpp.bind import Bind
from gateway.ingress.smpp.ids import read
from gateway.ingress.smpp.intake import Intake
from gateway.ingress.smpp.logins import Login
from gateway.ingress.smpp.ports import Clock, Store
from gateway.ingress.smpp.present import may_replace, replacement_of
from gateway.ingress.smpp.reading import Key, Shape, recipient
from gateway.model import FINAL, WAITING, BatchState, Category, Encoding, Status
from gateway.store.records import BatchView, MessageFilter, MessageView
from gateway.tally import Tally
from protocol import constants as c
from protocol import times
from protocol.coding import decode
from protocol.errors import PduError
from protocol.pdu import CancelSm, Pdu, QuerySm, QuerySmResp, ReplaceSm, response_to

log = logging.getLogger("aldis.ingress")

FAILED: Final = {
    c.QUERY_SM: c.ESME_RQUERYFAIL,
    c.CANCEL_SM: c.ESME_RCANCELFAIL,
    c.REPLACE_SM: c.ESME_RREPLACEFAIL,
}
LONGEST_ID: Final = 64
"""Octets of a message_id (3.4 §5.2.23)."""
MOST_CANCELED: Final = 1_000
"""Messages one cancel_sm without an id may cancel; the customer may ask again."""
STATE: Final[dict[int, int]] = {
    # SMPP 3.4 §5.2.28 has no state before ENROUTE; 5.0 has SCHEDULED.
    Status.ACCEPTED: c.MESSAGE_STATE_ACCEPTED,
    Status.SCHEDULED: c.MESSAGE_STATE_SCHEDULED,
    Status.HELD_MODERATION: c.MESSAGE_STATE_ACCEPTED,
    Status.HELD_QUIET: c.MESSAGE_STATE_ACCEPTED,
    Status.QUEUED: c.MESSAGE_STATE_ENROUTE,
    Status.SENDING: c.MESSAGE_STATE_ENROUTE,
    Status.SENT: c.MESSAGE_STATE_ENROUTE,
    Status.DELIVERED: c.MESSAGE_STATE_DELIVERED,
    Status.UNDELIVERED: c.MESSAGE_STATE_UNDELIVERABLE,
    Status.EXPIRED: c.MESSAGE_STATE_EXPIRED,
    Status.REJECTED: c.MESSAGE_STATE_REJECTED,
    Status.FAILED: c.MESSAGE_STATE_UNDELIVERABLE,
    Status.CANCELED: c.MESSAGE_STATE_DELETED,
    Status.UNKNOWN: c.MESSAGE_STATE_UNKNOWN,
}


class Operations:
    """Works on requests in the order of each read."""

    def __init__(self, intake: Intake, store: Store, clock: Clock, tally: Tally) -> None:
        self._intake = intake
        self._store = store
        self._clock = clock
        self._tally = tally
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, bind: Bind, pdus: Sequence[Any]) -> None:
        """The requests of one read."""
        task = asyncio.get_running_loop().create_task(
            self._work(bind, pdus), name="smpp operations"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finished(self, timeout: float) -> None:
        """Wait until everything taken so far is answered."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)

    async def _work(self, bind: Bind, pdus: Sequence[Any]) -> None:
        login = bind.login
        assert login is not None
        for pdu in pdus:
            status, response = 0, None
            try:
                if isinstance(pdu, QuerySm):
                    response = await self._query(login, pdu)
                elif isinstance(pdu, CancelSm):
                    response = await self._cancel(login, pdu)
                elif isinstance(pdu, ReplaceSm):
                    response = await self._replace(login, pdu)
            except PduError as error:
                status = error.command_status
            except AldisError as error:
                status = status_for(error)
            except Exception:
                log.exception("smpp operation failed")
                self._tally.count(m.TASK_ERRORS, 1, "smpp operations")
                status = c.ESME_RSYSERR
            self._tally.count(
                m.SMPP_REQUESTS, 1, login.account.name, pdu.command, c.status_name(status)
            )
            bind.answer_with(response or response_to(pdu, status))

    # ---- the three

    async def _query(self, login: Login, pdu: QuerySm) -> Pdu:
        """§4.8: the state of a message."""
        found = await self._find(login, pdu)
        if found is None:
            state, over, at, code = c.MESSAGE_STATE_ACCEPTED, False, 0, 0
        elif isinstance(found, BatchView):
            state, over, at = _batch_state(found), found.state is BatchState.FINISHED, found.updated
            code = 0
        else:
            _same_sender(found, pdu)
            state, over, at = STATE[found.status], found.status in FINAL, found.updated
            code = _error_octet(found.carrier_code)
        return QuerySmResp(
            sequence_number=pdu.sequence_number,
            message_id=pdu.message_id,
            final_date=times.format_absolute(at) if over else "",
            message_state=state,
            error_code=code,
        )

    async def _cancel(self, login: Login, pdu: CancelSm) -> Pdu:
        """§4.9: one message by its id, or all that wait from this sender to this recipient."""
        account, now = login.account.name, self._clock()
        if pdu.message_id:
            found = await self._find(login, pdu)
            if isinstance(found, BatchView):
                state = BatchState.CANCELED
                before = await self._store.set_batch_state(account, found.id, state, now)
                if before not in (BatchState.RUNNING, BatchState.PAUSED, BatchState.CANCELED):
                    raise PduError("the messages have left", c.ESME_RCANCELFAIL)
                return response_to(pdu)
            if found is None:
                raise PduError("its other parts have not come", c.ESME_RCANCELFAIL)
            _same_sender(found, pdu)
            ids = [found.id]
        else:
            ids = [view.id for view in await self._waiting(login, pdu)]
            if not ids:
                raise PduError("nothing waits for this recipient", c.ESME_RCANCELFAIL)
        statuses = await self._store.cancel(account, ids, now)
        if not any(status in WAITING for status in statuses):
            raise PduError("the message has left", c.ESME_RCANCELFAIL)
        return response_to(pdu)

    async def _replace(self, login: Login, pdu: ReplaceSm) -> Pdu:
        """§4.10: another text, and perhaps other times, for a message that has not left."""
        found = await self._find(login, pdu)
        if found is None or isinstance(found, BatchView):
            raise PduError("a part or a submit_multi cannot be replaced", c.ESME_RREPLACEFAIL)
        if _sender(login, pdu) != found.sender.lstrip("+"):
            raise PduError("another sender's message", c.ESME_RREPLACEFAIL)
        if found.id != read(pdu.message_id, login.settings.message_id):
            # Another text has no such part: who was told of several would hear of none again.
            raise PduError("a part of a message", c.ESME_RREPLACEFAIL)
        if found.status not in WAITING:
            raise PduError("the message has left", c.ESME_RREPLACEFAIL)
        shape = Shape(
            Key(
                "", pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr, c.TON_INTERNATIONAL,
                c.NPI_ISDN, 0, 0, 0, pdu.schedule_delivery_time, pdu.validity_period,
                pdu.registered_delivery, 0, 0, pdu.sm_default_msg_id,
            ),
            login,
        )  # fmt: skip
        if shape.status:
            raise PduError("a field", shape.status)
        # replace_sm has no data_coding: the text is coded as the one it replaces (§4.10.1).
        coding = "ucs2" if found.encoding == Encoding.UCS2 else login.settings.alphabet
        now = self._clock()
        send_at, validity = shape.times(now)
        if send_at is None and found.due is not None and found.due > now:
            send_at = found.due
        if validity is None and found.deadline is not None and not pdu.validity_period:
            validity = max(1, found.deadline - max(send_at or now, now))
        text = decode(pdu.short_message, coding)
        literal = "{{" in text
        ask = self._intake.asking.ask(
            login, shape, TEXT if literal else text, now, send_at, validity
        )
        ask.category = Category(found.category)
        ask.replacing = True
        values = {"text": text} if literal else None
        draft = Draft(recipient(str(found.number), c.TON_INTERNATIONAL), values)
        passed = await self._intake.admission.admit(ask, [draft])
        if not passed:
            raise PduError("refused", status_of(draft.code or "", draft.pointer))
        if draft.status not in WAITING:  # it would be dropped, which is no content
            raise PduError("refused", status_of(draft.reason or ""))
        if ask.category.value != found.category or not may_replace(draft):
            # It would have to go another way than the one it waits in.
            raise PduError("another template", status_of("template_mismatch", "#/text"))
        (shared,) = self._store.new_ids(1, now)
        replacement = replacement_of(found.id, content(ask, shared), draft)
        with undone_on_error(ask):
            (before,) = await self._store.replace(login.account.name, [replacement], now)
        if before not in WAITING:
            raise PduError("the message has left", c.ESME_RREPLACEFAIL)
        return response_to(pdu)

    # ---- finding

    async def _find(self, login: Login, pdu: Any) -> MessageView | BatchView | None:
        """What the customer's id stands for: None for a part whose others have not come,
        ESME_RINVMSGID if nothing of its account."""
        account = login.account.name
        # A longer one than any response may carry could not be told back.
        form = login.settings.message_id
        told = read(pdu.message_id, form) if len(pdu.message_id) <= LONGEST_ID else None
        if told is None:
            raise PduError("no id of ours", c.ESME_RINVMSGID)
        part = self._intake.keeps_part(account, told)  # asked first: it may be joined meanwhile
        (message,) = await self._store.resolve(account, [told])
        if message is not None:
            (view,) = await self._store.messages(account, [message])
            if view is not None:
                return view
        batch = await self._store.batch(account, told)
        if batch is None and not part:
            raise PduError("no such message", c.ESME_RINVMSGID)
        return batch

    async def _waiting(self, login: Login, pdu: CancelSm) -> list[MessageView]:
        sender = _sender(login, pdu)
        # Read as when it was submitted: a national number says less than it was stored as.
        draft = Draft(recipient(pdu.destination_addr, pdu.dest_addr_ton))
        ask = Ask(login.account, "?", self._clock(), sender=sender)
        ask.dry = True
        with suppress(Refused):  # what else forbids a message does not forbid to cancel one
            await self._intake.admission.admit(ask, [draft])
        digits = pdu.destination_addr.lstrip("+")
        if not draft.number and not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
            raise PduError("not a number", c.ESME_RINVDSTADR)
        where = MessageFilter(
            login.account.name,
            number=draft.number or int(digits),
            statuses=[int(each) for each in WAITING],
        )
        found = await self._store.search(where, MOST_CANCELED)
        return [view for view in found if view.sender.lstrip("+") == sender]


def _sender(login: Login, pdu: CancelSm | ReplaceSm) -> str:
    """Whose messages are meant: without a source_addr, the default sender's, as at submission."""
    return (pdu.source_addr or login.account.default_sender or "").lstrip("+")


def _same_sender(view: MessageView, pdu: QuerySm | CancelSm) -> None:
    """§4.8.1, §4.9.1: source_addr must be the message's own; customers that leave it out are
    believed by their account."""
    given = pdu.source_addr.lstrip("+")
    if given and given != view.sender.lstrip("+"):
        raise PduError("another sender's message", FAILED[pdu.command_id])


def _batch_state(view: BatchView) -> int:
    """The state of the least advanced message: what a customer waits for."""
    states = [status for status, count in view.counts.items() if count]
    unfinished = [status for status in states if status not in FINAL]
    if unfinished:
        return STATE[min(unfinished)]
    return STATE[max(states)] if states else c.MESSAGE_STATE_ACCEPTED


def _error_octet(carrier_code: str | None) -> int:
    """error_code is one octet (§5.2.31): the operator's code where it fits."""
    if carrier_code is None or not carrier_code.isdecimal():
        return 0
    value = int(carrier_code[:6])
    return value if value <= 255 else 0
