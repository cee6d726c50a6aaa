"""Messages -> the bodies of their submit_sm, for one carrier.

In: leased messages and the contents they share. Out: `Outgoing` for each, or the reason why it
cannot be one. A content is segmented once, and its TLVs are written once; per message only octets
are joined. A template's texts differ, but nearly all fit one part: those are spelt without being
segmented. What an SMPP customer split itself goes out as it came. Knows no link, no store and no
clock but the moment it is given.

A text that the carrier's alphabets cannot spell travels as UCS-2. It may then take more parts than
admission counted for the GSM alphabet, and more than the account's `max_parts`: the message was
accepted, the difference is this carrier's doing, and refusing it now or cutting it would both be
worse than an extra part. The parts sent are the parts reported.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from gateway.dispatch.outgoing import Body, Outgoing
from gateway.dispatch.profile import Profile
from gateway.dispatch.raw import RawFrame, raw_frames
from gateway.dispatch.tlvs import TlvNames, UnfitTlvs
from gateway.store.messages import Content, Leased
from gateway.template import compile_template
from protocol import gsm7, times
from protocol.address import address
from protocol.coding import encode_ucs2
from protocol.errors import UsageError
from protocol.pdu import SubmitSm, prepare
from protocol.segment import Segments, frame, segment
from protocol.tlv import Tlvs, write_tlvs
from protocol.transliterate import transliterate

CONTENTS_KEPT: Final = 4096
"""Campaigns and recent single texts under way at one carrier; about 1 KiB each."""
VALIDITIES_KEPT: Final = 64
"""Distinct validity_period strings of one content: a campaign has one a second at most."""
LONGEST_RELATIVE: Final = 31 * 86_400
"""Seconds; further away a relative time would need months, which have no one length."""

ONE_PART_SEPTETS: Final = 160
ONE_PART_UCS2: Final = 140
"""Octets; 70 UTF-16 units (TS 23.040 §9.2.3.16)."""
CLASSIC: Final = frozenset({"auto", "gsm", "ucs2"})

_decode_vars = msgspec.json.Decoder(dict[str, str]).decode


class Unsendable(Exception):
    """The message cannot be spelt; `reason` is a key of errors.REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class References:
    """Concatenation references: which parts belong together at the recipient's phone.

    A phone joins parts by (sender, reference, total), so two messages to one number must not share
    a reference while parts of the first may be pending. One counter would hand a number the same
    reference again whenever a multiple of 256 long messages went elsewhere in between, which at
    10,000/s is any moment. So there are 65,536 counters and a number's digits choose one: only
    long messages to the same few numbers advance it, and 256 of them take days. They start
    anywhere (a restart must not begin at 0 again) and all carriers of a node share them, because
    the phone does not see which carrier a part came by.
    """

    __slots__ = ("_counters",)

    _SLOTS: Final = 1 << 16

    def __init__(self, seed: bytes | None = None) -> None:
        seed = os.urandom(2 * self._SLOTS) if seed is None else seed
        self._counters = memoryview(bytearray(seed)).cast("H")

    def take(self, number: int) -> int:
        """The next reference for a number, 0..65535; its low octet serves 8-bit references."""
        slot = (number * 0x9E3779B1 & 0xFFFFFFFF) >> 16  # Fibonacci hashing: neighbours part
        reference = self._counters[slot] + 1 & 0xFFFF
        self._counters[slot] = reference
        return reference


class _Shape:
    """The body of a content's submit_sm around what varies.

    before · destination_addr · middle · validity_period · head · sm_length · short_message · TLVs
    """

    __slots__ = ("before", "head", "middle", "tails")

    def __init__(self, pdu: SubmitSm) -> None:
        self.before, _ = prepare(pdu, "destination_addr")
        upto, after = prepare(pdu, "validity_period")
        self.middle = upto[len(self.before) :]
        self.head = after[:-1]  # without sm_length, which is 0 here and ends the body
        self.tails: dict[bytes, bytes] = {}


class _Known:
    """A content as this carrier spells it; `segments` is None when each message has its own, or
    when `raw` holds what the customer made: each part's fields with the TLVs for it, written."""

    __slots__ = (
        "category", "content", "raw", "render", "segments", "shapes", "tlvs", "unsendable",
    )  # fmt: skip

    def __init__(self, content: Content) -> None:
        self.content = content
        self.category = content.category
        self.render = compile_template(content.text).render
        self.segments: Segments | None = None
        self.raw: list[tuple[RawFrame, bytes]] = []
        self.shapes: dict[tuple[int, int, int], _Shape] = {}
        self.tlvs = b""
        """Those of every submit_sm of it, beside what its segments bring."""
        self.unsendable = ""


class _Single:
    """Spells the texts of one template that fit one part; 2.8 us a message, where segmenting each
    takes 8.5. All messages share their deadline, and so their validity_period."""

    __slots__ = ("_before", "_gsm", "_national", "_tlvs", "_ucs2", "deadline", "known")

    def __init__(
        self,
        known: _Known,
        deadline: int,
        before: bytes,
        gsm: bytes | None,
        ucs2: bytes,
        national: bool,
    ) -> None:
        """`before` and the two others are a body around destination_addr, up to sm_length; `gsm`
        is None when the caller insists on UCS-2. `national`: whether the default alphabet is not
        the only one to try before UCS-2."""
        self.known = known
        self.deadline = deadline
        self._before = before
        self._gsm = gsm
        self._ucs2 = ucs2
        self._tlvs = known.tlvs
        self._national = national and gsm is not None

    def body(self, message: Leased) -> Body | None:
        """The body of the message's only part; None when the long way has to look at it."""
        values = message.vars
        if values is None:
            return None
        try:
            text = self.known.render(_decode_vars(values))
        except (KeyError, msgspec.DecodeError):
            return None
        middle = self._gsm
        if middle is not None and (data := gsm7.encode(text)) is not None:
            limit = ONE_PART_SEPTETS
        elif self._national:
            return None  # which alphabet is the shortest, `segment` finds out
        else:
            try:
                data = encode_ucs2(text)
            except UsageError:
                return None
            middle, limit = self._ucs2, ONE_PART_UCS2
        if not 0 < len(data) <= limit:
            return None
        tail = b"%b%c%b" % (middle, len(data), data)
        return self._before, b"%d" % message.number, tail + self._tlvs if self._tlvs else tail


class Encoder:
    """Encodes for one carrier."""

    def __init__(self, profile: Profile, references: References) -> None:
        self._profile = profile
        self._references = references
        self._known: OrderedDict[int, _Known] = OrderedDict()
        self._validity_format = profile.carrier.validity_format
        self._tlvs = TlvNames(profile.carrier)
        self._unknown_tlvs = 0

    def take_unknown_tlvs(self) -> int:
        """How many TLVs have been left out since the last call: this carrier has no such name."""
        unknown, self._unknown_tlvs = self._unknown_tlvs, 0
        return unknown

    def encode(
        self, messages: list[Leased], contents: Mapping[int, Content], now: int
    ) -> tuple[list[Outgoing], list[tuple[Leased, str]]]:
        """Messages that can be sent, in order, and those that cannot with a reason for each.

        `now` is UTC in microseconds. A message past its deadline is refused as
        `validity_expired`.
        """
        ready: list[Outgoing] = []
        refused: list[tuple[Leased, str]] = []
        append = ready.append
        known_by_id = self._known
        last_content = last_deadline = -1
        before = tail = b""
        category = ""
        single: _Single | None = None
        for message in messages:
            # The messages of a campaign share everything but the number, or but the number and
            # the text: the common cases.
            if message.content == last_content and message.deadline == last_deadline:
                if single is None:
                    append(Outgoing(message, category, ((before, b"%d" % message.number, tail),)))
                    continue
                body = single.body(message)
                if body is not None:
                    append(Outgoing(message, category, (body,)))
                    continue
            if message.deadline <= now:
                refused.append((message, "validity_expired"))
                continue
            known = known_by_id.get(message.content)
            if known is None:
                known = self._learn(contents[message.content])
            try:
                bodies = self._bodies(message, known, now)
            except Unsendable as unsendable:
                refused.append((message, unsendable.reason))
                continue
            category = known.category
            append(Outgoing(message, category, bodies, len(bodies)))
            last_content, last_deadline = message.content, message.deadline
            if known.segments is None:
                if single is None or single.known is not known or single.deadline != last_deadline:
                    single = self._single(known, message.deadline, now)
                    if single is None:
                        last_content = -1
            elif len(bodies) == 1:
                single = None
                before, _, tail = bodies[0]
            else:
                last_content = -1
        return ready, refused

    def _single(self, known: _Known, deadline: int, now: int) -> _Single | None:
        """How the texts of one part of a template are spelt; None where only `segment` knows."""
        content, carrier = known.content, self._profile.carrier
        if known.raw or content.transliterate or content.encoding not in CLASSIC:
            return None
        if carrier.alphabet != "gsm" or carrier.packed:
            return None
        coding = self._profile.data_coding
        validity = self._validity(deadline, now).encode()
        gsm, ucs2 = self._shape(known, coding["gsm"]), self._shape(known, coding["ucs2"])
        return _Single(
            known,
            deadline,
            gsm.before,
            None if content.encoding == "ucs2" else gsm.middle + validity + gsm.head,
            ucs2.middle + validity + ucs2.head,
            bool(self._profile.national),
        )

    def _learn(self, content: Content) -> _Known:
        known = _Known(content)
        try:
            if content.raw:
                known.raw = self._raw(content)
            else:
                known.tlvs, unknown = self._written(content)
                self._unknown_tlvs += unknown
                if not content.templated:
                    known.segments = self._segment(content, content.text)
        except Unsendable as unsendable:
            known.unsendable = unsendable.reason
        self._known[content.id] = known
        if len(self._known) > CONTENTS_KEPT:
            self._known.popitem(last=False)
        return known

    def _bodies(self, message: Leased, known: _Known, now: int) -> tuple[Body, ...]:
        if known.unsendable:
            raise Unsendable(known.unsendable)
        if known.raw:
            return self._raw_bodies(message, known, now)
        segments = known.segments
        if segments is None:
            segments = self._segment(known.content, _render(known, message.vars))
        several = len(segments.parts) > 1
        frames = frame(segments, self._references.take(message.number) if several else 0)
        shape = self._shape(known, segments.data_coding, frames[0][0])
        number = b"%d" % message.number
        middle = shape.middle + self._validity(message.deadline, now).encode() + shape.head
        if not several and known.segments is not None:
            tail = shape.tails.get(middle)
            if tail is None:
                if len(shape.tails) >= VALIDITIES_KEPT:
                    shape.tails.clear()
                _, text, tlvs = frames[0]
                tail = shape.tails[middle] = _tail(middle, text, tlvs, known.tlvs)
            return ((shape.before, number, tail),)
        more = known.tlvs
        return tuple(
            [(shape.before, number, _tail(middle, text, tlvs, more)) for _, text, tlvs in frames]
        )

    def _raw_bodies(self, message: Leased, known: _Known, now: int) -> tuple[Body, ...]:
        validity = self._validity(message.deadline, now).encode()
        number = b"%d" % message.number
        bodies: list[Body] = []
        for raw, more in known.raw:
            shape = self._shape(known, raw.data_coding, raw.esm_class, raw.protocol_id)
            tail = _tail(shape.middle + validity + shape.head, raw.short_message, raw.tlvs, more)
            bodies.append((shape.before, number, tail))
        return tuple(bodies)

    def _raw(self, content: Content) -> list[tuple[RawFrame, bytes]]:
        profile = self._profile
        frames = raw_frames(content.raw, profile.carrier.alphabet, profile.data_coding["gsm"])
        found = []
        unknown = 0
        for each in frames:
            more, unknown = self._written(content, {tag for tag, _ in each.tlvs})
            found.append((each, more))
        self._unknown_tlvs += unknown
        return found

    def _written(self, content: Content, own: Collection[int] = ()) -> tuple[bytes, int]:
        """The TLVs a submit_sm with `own` ones carries for the submission's sake or the carrier's,
        and how many the carrier has no name for."""
        try:
            tlvs, unknown = self._tlvs.write(content.tlvs, own)
        except UnfitTlvs:
            raise Unsendable("missing_tlv") from None
        return write_tlvs(tlvs), unknown

    def _shape(
        self, known: _Known, data_coding: int, esm_class: int = 0, protocol_id: int = 0
    ) -> _Shape:
        shape = known.shapes.get((data_coding, esm_class, protocol_id))
        if shape is None:
            profile = self._profile
            try:
                sender = address(known.content.sender, profile.rules)
                pdu = SubmitSm(
                    service_type=profile.carrier.service_type,
                    source_addr_ton=sender.ton,
                    source_addr_npi=sender.npi,
                    source_addr=sender.addr,
                    dest_addr_ton=profile.carrier.destination.ton,
                    dest_addr_npi=profile.carrier.destination.npi,
                    esm_class=esm_class,
                    protocol_id=protocol_id,
                    registered_delivery=profile.registered_delivery,
                    data_coding=data_coding,
                )
                shape = known.shapes[data_coding, esm_class, protocol_id] = _Shape(pdu)
            except UsageError:
                raise Unsendable("sender_not_allowed") from None
        return shape

    def _segment(self, content: Content, text: str) -> Segments:
        if not text:
            raise Unsendable("empty_text")
        if content.transliterate:
            text = transliterate(text)[0]
        try:
            return _cut(text, content.encoding, self._profile)
        except UsageError:
            raise Unsendable("invalid_text") from None

    def _validity(self, deadline: int, now: int) -> str:
        form = self._validity_format
        if form == "none":
            return ""
        seconds = max(1, (deadline - now) // 1_000_000)
        if form == "relative" and seconds <= LONGEST_RELATIVE:
            return _relative(seconds)
        return times.format_absolute(deadline)


def _tail(middle: bytes, text: bytes, tlvs: Tlvs, more: bytes) -> bytes:
    """What follows destination_addr: §4.4.1 ends with sm_length, short_message and the TLVs, of
    which `more` are those the content has written already."""
    tail = middle + bytes((len(text),)) + text
    return tail + write_tlvs(tlvs) + more if tlvs else tail + more


def _render(known: _Known, values: str | None) -> str:
    try:
        return known.render(_decode_vars(values) if values else {})
    except (KeyError, msgspec.DecodeError):
        raise Unsendable("missing_variable") from None


def _cut(text: str, encoding: str, profile: Profile) -> Segments:
    carrier = profile.carrier
    mode, data_coding = carrier.long_message, profile.data_coding
    try:
        return segment(
            text,
            mode=mode,
            encoding=encoding,
            alphabet=carrier.alphabet,
            national=profile.national,
            packed=carrier.packed,
            data_coding=data_coding,
        )
    except UsageError:
        if encoding in ("auto", "ucs2"):
            raise
        return segment(text, mode=mode, encoding="ucs2", data_coding=data_coding)


_relative = lru_cache(maxsize=65_536)(times.format_relative)
