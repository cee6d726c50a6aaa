"""From what customers submit to what admission checks.

In: the submits of reads. Out: `Asked`, submissions in the making: messages that differ in
recipients alone are one; messages of one shape whose texts all differ are one too, with the text as
a variable; a submit_multi is one. Where the text decides what a message is (templates), each is
one by itself. What the fields of a submit forbid is answered here. Knows no
store and no admission.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.draft import Ask, Draft
from gateway.ingress.smpp.answers import Answers, status_of
from gateway.ingress.smpp.bind import Bind
from gateway.ingress.smpp.logins import Login
from gateway.ingress.smpp.ports import Clock
from gateway.ingress.smpp.reading import (
    Key,
    Place,
    Shape,
    key_of,
    place_of,
    raw_part,
    recipient,
    text_of,
)
from gateway.store.messages import RawPart
from protocol import constants as c
from protocol.errors import PduError, SmppError
from protocol.pdu import SubmitMulti
from protocol.pdu import decode as decode_pdu

SHAPES_KEPT: Final = 1_024
"""Shapes of one login: a customer has a few senders and priorities; time strings make more."""
TEXT: Final = "{{text}}"
"""The text of a submission whose messages say each their own; also of one that has braces itself,
which a customer means as they are."""
_UDHI: Final = c.ESM_CLASS_UDHI

Reread = tuple[Any, Place, bytes, Shape]
Origin = tuple[Bind, Any]
"""Who sent a message, and in which PDU."""

Part = Callable[[Bind, Any, Place, bytes, Shape], None]
"""Whoever takes parts of messages that customers split themselves."""


class Asked:
    """One submission in the making. `origins[draft.position]` asked for a draft."""

    __slots__ = ("ask", "drafts", "multi", "origins", "passed", "replaces")

    def __init__(self, ask: Ask, drafts: list[Draft], origins: list[Origin]) -> None:
        self.ask = ask
        self.drafts = drafts
        self.origins = origins
        self.passed: list[Draft] = []
        self.multi = False
        """Whether all drafts are recipients of one submit_multi."""
        self.replaces = False
        """Whether a message that waits makes room for this one."""


class Asking:
    """Reads for all logins; remembers what their shapes mean."""

    __slots__ = ("_apart", "_clock", "_shapes")

    def __init__(self, clock: Clock, apart: Callable[[str], bool]) -> None:
        """`apart`: see `draft.Admission.apart`."""
        self._clock = clock
        self._apart = apart
        self._shapes: dict[Login, dict[tuple[Any, ...], Shape]] = {}

    def forget(self) -> None:
        """Logins have changed."""
        self._shapes.clear()

    def read(
        self,
        taken: list[tuple[Bind, list[Any]]],
        answers: Answers,
        part: Part,
        parts: set[int],
    ) -> list[Asked]:
        """Group what came; refuse what its fields forbid; hand parts on, noting which (`id`)."""
        groups: dict[tuple[Login, tuple[Any, ...]], dict[tuple[bytes, bool], list[Origin]]] = {}
        asked: list[Asked] = []
        group: dict[tuple[bytes, bool], list[Origin]] = {}
        for bind, pdus in taken:
            login = bind.login
            assert login is not None
            before: tuple[Any, ...] = ()
            for pdu in pdus:
                key, payload, as_payload = key_of(pdu, login)
                if pdu.tlvs or pdu.esm_class & _UDHI:
                    place = place_of(pdu, payload)
                    if place is not None:
                        parts.add(id(pdu))
                        part(bind, pdu, place, payload, self.shape(login, key))
                        continue
                if type(pdu) is SubmitMulti:
                    self._read_multi(bind, pdu, self.shape(login, key), payload, asked, answers)
                    continue
                if key != before:  # asked first: to hash a key takes 0.4 us
                    group = groups.setdefault((login, key), {})
                    before = key
                text = (payload, as_payload)
                origins = group.get(text)
                if origins is None:
                    group[text] = [(bind, pdu)]
                else:
                    origins.append((bind, pdu))
        for (login, key), group in groups.items():
            asked += self._asked(login, self.shape(login, key), group, answers)
        return asked

    def shape(self, login: Login, key: tuple[Any, ...]) -> Shape:
        """What a key means for this login, read once."""
        shapes = self._shapes.get(login)
        if shapes is None:
            shapes = self._shapes[login] = {}
        shape = shapes.get(key)
        if shape is None:
            shape = Shape(Key(*key), login)
            if shape.kept:
                if len(shapes) >= SHAPES_KEPT:
                    shapes.clear()
                shapes[key] = shape
        return shape

    def reread(self, login: Login, octets: bytes) -> Reread | None:
        """A part the store has kept, as it came; None if it cannot be one."""
        try:
            pdu: Any = decode_pdu(octets)
        except SmppError:
            return None
        key, payload, _ = key_of(pdu, login)
        place = place_of(pdu, payload)
        return None if place is None else (pdu, place, payload, self.shape(login, key))

    def ask(
        self,
        login: Login,
        shape: Shape,
        text: str,
        now: int,
        send_at: int | None,
        validity: int | None,
        raw: tuple[RawPart, ...] = (),
    ) -> Ask:
        """What messages of one shape share, as admission takes it."""
        return Ask(
            login.account,
            text,
            now,
            sender=shape.sender,
            category=shape.category,
            priority=shape.priority,
            send_at=send_at,
            validity=validity,
            tlvs=shape.tlvs,
            esme=shape.esme,
            raw=raw,
        )

    def _asked(
        self,
        login: Login,
        shape: Shape,
        group: dict[tuple[bytes, bool], list[Origin]],
        answers: Answers,
    ) -> list[Asked]:
        """The submissions of one shape: one for each text sent to several, one for all others."""
        now = self._clock()
        try:
            if shape.status:
                raise PduError("a field", shape.status)
            send_at, validity = shape.times(now)
        except PduError as error:
            for origins in group.values():
                for bind, pdu in origins:
                    answers.no(bind, pdu, error.command_status)
            return []
        asked: list[Asked] = []
        varied: list[tuple[str, Origin]] = []
        alone: list[list[tuple[str, Origin]]] = []
        apart = self._apart(login.account.name)
        for (payload, as_payload), origins in group.items():
            text = text_of(payload, shape.encoding, shape.esm_class)
            lists = [[origin] for origin in origins] if apart else [origins]
            if shape.raw:
                raw = (raw_part(0, shape, payload, as_payload),)
                for each in lists:
                    ask = self.ask(login, shape, text, now, send_at, validity, raw)
                    asked.append(_asked_of(ask, shape, each))
            elif apart and "{{" in text:
                alone += [[(text, origin)] for origin in origins]
            elif "{{" in text or (len(origins) == 1 and len(group) > 1 and not apart):
                varied += [(text, origin) for origin in origins]
            else:
                for each in lists:
                    ask = self.ask(login, shape, text, now, send_at, validity)
                    asked.append(_asked_of(ask, shape, each))
        for texts in (varied, *alone) if varied else alone:
            ask = self.ask(login, shape, TEXT, now, send_at, validity)
            one = _varied(ask, shape, texts, answers)
            if one is not None:
                asked.append(one)
        for each_asked in asked:
            each_asked.replaces = shape.replaces
        return asked

    def _read_multi(
        self,
        bind: Bind,
        pdu: Any,
        shape: Shape,
        payload: bytes,
        asked: list[Asked],
        answers: Answers,
    ) -> None:
        """A submit_multi is a batch: one text, several recipients, one id for all of them."""
        login = bind.login
        assert login is not None
        status = shape.status
        addresses = pdu.dest_address
        if not addresses:
            status = status or c.ESME_RINVNUMDESTS
        elif any(isinstance(each, str) for each in addresses):
            status = status or c.ESME_RINVDLNAME  # lists are kept by nobody here
        now = self._clock()
        try:
            if status:
                raise PduError("a field", status)
            send_at, validity = shape.times(now)
        except PduError as error:
            answers.no(bind, pdu, error.command_status)
            return
        text = text_of(payload, shape.encoding, shape.esm_class)
        raw: tuple[RawPart, ...] = ()
        if shape.raw:
            raw = (raw_part(0, shape, payload, pdu.short_message != payload),)
        literal = "{{" in text and not raw
        ask = self.ask(login, shape, TEXT if literal else text, now, send_at, validity, raw)
        drafts = [
            Draft(recipient(each.addr, each.ton), {"text": text} if literal else None, None, place)
            for place, each in enumerate(addresses)
        ]
        one = Asked(ask, drafts, [(bind, pdu)] * len(drafts))
        one.multi = True
        asked.append(one)


def _asked_of(ask: Ask, shape: Shape, origins: list[Origin]) -> Asked:
    ton = shape.dest_addr_ton
    drafts = [
        Draft(recipient(pdu.destination_addr, ton), None, None, position)
        for position, (_, pdu) in enumerate(origins)
    ]
    return Asked(ask, drafts, origins)


def _varied(
    ask: Ask, shape: Shape, texts: list[tuple[str, Origin]], answers: Answers
) -> Asked | None:
    """One submission whose messages say each their own."""
    # An empty text is refused for itself, which a variable would hide.
    empty = [text for text, _ in texts if not text or text.isspace()]
    for bind, pdu in [origin for text, origin in texts if text in empty]:
        answers.no(bind, pdu, status_of("empty_text"))
    full = [one for one in texts if one[0] not in empty] if empty else texts
    ton = shape.dest_addr_ton
    drafts = [
        Draft(recipient(pdu.destination_addr, ton), {"text": text}, None, position)
        for position, (text, (_, pdu)) in enumerate(full)
    ]
    return Asked(ask, drafts, [origin for _, origin in full]) if drafts else None
