"""What SMPP receivers are told: log events -> deliver_sm bodies.

In: a chunk of the event log, the account's logins. Out: for each event its bodies, in two pieces:
all up to the TLVs, and the TLVs, which receivers of 3.3 do not get. Pure; knows no bind and no
store.

A receipt says the same twice: in the text of SMPP 3.4 Appendix B, which every customer reads, and
in TLVs, which say it without guessing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from config.settings import Account, SmppLogin
from gateway import ids
from gateway.model import FINAL, Status
from gateway.store.messages import Esme
from gateway.store.records import RECEIPT, LogChunk, ReceiptNews
from protocol import constants as c
from protocol.address import address
from protocol.errors import UsageError
from protocol.pdu import DeliverSm, body, prepare
from protocol.receipt import (
    MESSAGE_STATE,
    NETWORK_ERROR_CODE,
    OUTCOMES,
    RECEIPTED_MESSAGE_ID,
    Outcome,
)
from protocol.segment import DATA_CODING, frame, segment
from protocol.tlv import write_tlvs

INBOUND: Final = "message.inbound"
TYPES: Final = (RECEIPT, INBOUND)
"""The types of the log that are for receivers."""

Bodies = tuple[tuple[bytes, bytes], ...]
"""The deliver_sm of one event: one, or one for each part of a long reply."""

OUTCOME: Final[dict[int, Outcome]] = {
    Status.SENT: Outcome.ENROUTE,
    Status.DELIVERED: Outcome.DELIVERED,
    Status.UNDELIVERED: Outcome.UNDELIVERABLE,
    Status.EXPIRED: Outcome.EXPIRED,
    Status.REJECTED: Outcome.REJECTED,
    Status.FAILED: Outcome.UNDELIVERABLE,
    Status.CANCELED: Outcome.DELETED,
    Status.UNKNOWN: Outcome.UNKNOWN,
}
_GSM: Final = 3
"""network_error_code's first octet for GSM (SMPP 3.4 §5.3.2.31)."""
_LONGEST_ERR: Final = 10

_receipts: Final = msgspec.json.Decoder(list[ReceiptNews])
_PLAIN: Final = SmppLogin(system_id="-")


class _Reply(msgspec.Struct):
    """What is needed of a `message.inbound` event."""

    id: str
    source: str = msgspec.field(name="from")
    destination: str = msgspec.field(name="to")
    text: str


_replies: Final = msgspec.json.Decoder(list[_Reply])


class Teller:
    """Writes bodies for one account."""

    __slots__ = ("_data_coding", "_first", "_logins", "_reference")

    def __init__(self, account: Account) -> None:
        self.apply(account)
        self._reference = 0

    def apply(self, account: Account) -> None:
        """Take the account's (new) logins."""
        self._logins: Mapping[str, SmppLogin] = {each.system_id: each for each in account.smpp}
        self._first = account.smpp[0] if account.smpp else _PLAIN
        self._data_coding: dict[str, int] = dict(DATA_CODING)
        self._data_coding.update(self._first.data_coding.items())

    def bodies(self, chunk: LogChunk) -> list[Bodies]:
        """The bodies of each event of a chunk, in order; empty for an event that cannot be told
        (none known)."""
        if chunk.type == RECEIPT:
            return [one for news in _receipts.decode(chunk.body) for one in self._told(news)]
        return [self._reply(reply) for reply in _replies.decode(chunk.body)]

    def _told(self, news: ReceiptNews) -> list[Bodies]:
        esme = news.esme
        login = self._logins.get(esme.system_id, self._first)
        form, zone = login.message_id, login.receipt_zone
        outcome = OUTCOME[news.status]
        before, middle = _frame(esme, news.status in FINAL)
        err = _err(news.carrier_code)
        delivered = outcome is Outcome.DELIVERED
        between = b" sub:001 dlvrd:%03d submit date:" % delivered
        tail = b" done date:%b stat:%b err:%b text:" % (
            _date(news.at // 60_000_000, zone),
            OUTCOMES[outcome][1][0].encode(),
            err,
        )
        state = _state_tlvs(outcome, news.carrier_code)
        tag = b"%c%c\0" % divmod(RECEIPTED_MESSAGE_ID, 256)  # and the length's first octet
        told: list[Bodies] = []
        minute, rest = -1, b""
        for identifier, number in zip(news.ids, news.numbers, strict=True):
            name = b"%d" % identifier if form == "decimal" else _spell(identifier, form)
            made = ids.created_at(identifier) // 60_000_000
            if made != minute:
                minute, rest = made, between + _date(made, zone) + tail
            size = len(name)
            length = 3 + size + len(rest)
            core = b"%b%d%b%cid:%b%b" % (before, number, middle, length, name, rest)
            told.append(((core, b"%b%c%b\0%b" % (tag, size + 1, name, state)),))
        return told

    def _reply(self, reply: _Reply) -> Bodies:
        segments = segment(reply.text, alphabet=self._first.alphabet, data_coding=self._data_coding)
        self._reference = (self._reference + 1) & 0xFF
        source, destination = address(reply.source), address(reply.destination)
        told = []
        for esm_class, text, tlvs in frame(segments, self._reference):
            pdu = DeliverSm(
                source_addr_ton=source.ton,
                source_addr_npi=source.npi,
                source_addr=source.addr[:20],
                dest_addr_ton=destination.ton,
                dest_addr_npi=destination.npi,
                destination_addr=destination.addr[:20],
                esm_class=esm_class,
                data_coding=segments.data_coding,
                short_message=text,
            )
            try:
                told.append((body(pdu), write_tlvs(tlvs)))
            except UsageError:
                return ()
        return tuple(told)


@lru_cache(maxsize=4_096)
def _frame(esme: Esme, final: bool) -> tuple[bytes, bytes]:
    """The body before the recipient's digits, and from there to sm_length."""
    esm_class = c.ESM_CLASS_DELIVERY_RECEIPT if final else c.ESM_CLASS_INTERMEDIATE_NOTIFICATION
    pdu = DeliverSm(
        source_addr_ton=esme.dest_addr_ton,
        source_addr_npi=esme.dest_addr_npi,
        dest_addr_ton=esme.source_addr_ton,
        dest_addr_npi=esme.source_addr_npi,
        destination_addr=esme.source_addr[:20],
        esm_class=esm_class,
    )
    before, after = prepare(pdu, "source_addr")
    return before, after[:-1]  # the sm_length of an empty text


@lru_cache(maxsize=4_096)
def _date(minute: int, zone: str) -> bytes:
    """YYMMDDhhmm; receipts of one minute share it."""
    at = datetime.fromtimestamp(minute * 60, UTC)
    return (at if zone == "UTC" else at.astimezone(ZoneInfo(zone))).strftime("%y%m%d%H%M").encode()


def _err(code: str | None) -> bytes:
    """`err`: the operator's code, three digits where it has so few."""
    if code is None:
        return b"000"
    plain = code.encode("ascii", "replace").replace(b" ", b"_")[:_LONGEST_ERR]
    return plain.zfill(3) if plain.isdigit() else plain


def _state_tlvs(outcome: Outcome, code: str | None) -> bytes:
    tlvs: tuple[tuple[int, bytes], ...] = ((MESSAGE_STATE, bytes((outcome,))),)
    if code is not None and code.isascii() and code.isdecimal() and int(code[:6]) <= 0xFFFF:
        tlvs += ((NETWORK_ERROR_CODE, bytes((_GSM, *divmod(int(code[:6]), 256)))),)
    return write_tlvs(tlvs)


def _spell(identifier: int, form: str) -> bytes:
    return (f"{identifier:x}" if form == "hex" else ids.encode("msg", identifier)).encode()
