"""deliver_sm bodies of delivery receipts, by the thousand.

In: message ids as numbers, the two addresses as they stood in the submit_sm, a `stat`. Out: encoded
bodies without header. The 20 characters of text a receipt may quote are left out, as many operators
do. It may not know sessions or when a receipt is due.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final
from uuid import UUID

from bench.smsc.behaviour import OUTCOME_OF_STAT, Behaviour
from protocol.constants import ESM_CLASS_DELIVERY_RECEIPT
from protocol.receipt import MESSAGE_STATE, NETWORK_ERROR_CODE, RECEIPTED_MESSAGE_ID, Outcome
from protocol.times import format_receipt_date

WriteId = Callable[[int], bytes]

_OCTET: Final = tuple(bytes((value,)) for value in range(256))
_NETWORK_GSM: Final = 3  # network_error_code's network type (3.4 §5.3.2.31)
# What an MSC would say; the customer's reason is derived from it.
_ERR: Final = {"DELIVRD": 0, "ENROUTE": 0, "EXPIRED": 27, "UNDELIV": 1, "REJECTD": 69}
# Between the addresses and sm_length: esm_class, then eight fields that are 0 or empty.
_FLAGS: Final = bytes((ESM_CLASS_DELIVERY_RECEIPT, 0, 0, 0, 0, 0, 0, 0, 0))


def _uuid(number: int) -> bytes:
    return str(UUID(int=number << 64 | number)).encode()


# id_form -> (in the response, in the receipt). The bound `%` of a bytes literal formats an int
# without a Python call in between.
_ID_FORMS: Final[dict[str, tuple[WriteId, WriteId]]] = {
    "dec": (b"%d".__mod__, b"%d".__mod__),
    "hex": (b"%x".__mod__, b"%x".__mod__),
    "upper_hex": (b"%X".__mod__, b"%X".__mod__),
    "resp_hex_receipt_dec": (b"%x".__mod__, b"%d".__mod__),
    "resp_dec_receipt_hex": (b"%d".__mod__, b"%x".__mod__),
    "resp_hex_receipt_upper": (b"%x".__mod__, b"%X".__mod__),
    "receipt_padded": (b"%d".__mod__, b"%020d".__mod__),
    "uuid": (_uuid, _uuid),
}


def id_writers(behaviour: Behaviour) -> tuple[WriteId, WriteId]:
    """How an id is written in responses, and how in receipts."""
    return _ID_FORMS[behaviour.id_form]


@lru_cache(maxsize=64)
def _text_after_id(stat: str, submit_date: str, done_date: str) -> bytes:
    delivered = OUTCOME_OF_STAT[stat] is Outcome.DELIVERED
    return (
        f" sub:001 dlvrd:{delivered:03d} submit date:{submit_date} done date:{done_date}"
        f" stat:{stat} err:{_ERR.get(stat, 0):03d} text:"
    ).encode()


def _state_tlvs(stat: str) -> bytes:
    state = MESSAGE_STATE.to_bytes(2, "big") + bytes((0, 1, OUTCOME_OF_STAT[stat]))
    error = NETWORK_ERROR_CODE.to_bytes(2, "big") + bytes((0, 3, _NETWORK_GSM))
    return state + error + _ERR.get(stat, 0).to_bytes(2, "big")


def bodies(
    form: str,
    stat: str,
    ids: Sequence[bytes],
    parties: Sequence[bytes],
    submitted_at: int,
    done_at: int,
) -> list[bytes]:
    """One deliver_sm body for each id.

    form: "text", "tlv" or "both". ids: as the receipt writes them. parties: TON, NPI and address
    of the recipient, then of the sender, terminators included. Moments are UTC µs.
    """
    octet = _OCTET
    tail = _state_tlvs(stat) if form != "text" else b""
    id_tag = RECEIPTED_MESSAGE_ID.to_bytes(2, "big") + b"\0"
    if form == "tlv":
        before = _FLAGS + b"\0" + id_tag
        return [
            b"\0%b%b%b%b\0%b" % (party, before, octet[len(id) + 1], id, tail)
            for id, party in zip(ids, parties, strict=True)
        ]
    after = _text_after_id(stat, format_receipt_date(submitted_at), format_receipt_date(done_at))
    fixed = len(b"id:") + len(after)
    if form == "text":
        return [
            b"\0%b%b%bid:%b%b" % (party, _FLAGS, octet[fixed + len(id)], id, after)
            for id, party in zip(ids, parties, strict=True)
        ]
    return [
        b"\0%b%b%bid:%b%b%b%b%b\0%b"
        % (
            party,
            _FLAGS,
            octet[fixed + len(id)],
            id,
            after,
            id_tag,
            octet[len(id) + 1],
            id,
            tail,
        )
        for id, party in zip(ids, parties, strict=True)
    ]
