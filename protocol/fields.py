"""The kinds of mandatory field a PDU body is made of.

In: octets and a position, or a value. Out: the value and the next position, or octets. A PDU's
`fields` tuple of these is its one table; decoding, encoding, length checks and the dump all read
it. May not know any particular PDU.

Reading is lenient towards peers, writing is strict towards us: a terminated C-octet string longer
than its maximum is unambiguous and is read whole (seven recorded PDUs of real peers have one),
but it is never written; `pdu.check` tells a server which status refuses it.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .address import Address
from .constants import (
    DEST_FLAG_DISTRIBUTION_LIST,
    DEST_FLAG_SME_ADDRESS,
    ESME_RINVDESTFLAG,
    ESME_RINVDLNAME,
    ESME_RINVDSTADR,
    ESME_RINVMSGLEN,
    ESME_RINVNUMDESTS,
)
from .errors import PduError, UsageError

# One character per octet value: a dict look-up costs 20 ns, chr() 40 ns, and a value outside 0-255
# raises KeyError where a tuple would take -1 for its last item.
OCTET: Final[dict[int, str]] = {value: chr(value) for value in range(256)}


class UnsuccessSme(NamedTuple):
    """One destination a submit_multi failed for (§4.5.2.1)."""

    dest_addr_ton: int
    dest_addr_npi: int
    destination_addr: str
    error_status_code: int


@dataclass(frozen=True, slots=True)
class Field:
    """One mandatory parameter: its name in the specification and the value it has by default.

    `status` is the command_status that refuses a wrong value. `shown` says how a repr or a log may
    show it: "plain", "masked" or "never".
    """

    name: str = ""
    default: Any = None
    status: int = ESME_RINVMSGLEN
    shown: str = "plain"

    def read(self, data: bytes, pos: int, end: int, last: bool) -> tuple[Any, int]:
        """Return the value at `pos` and the position after it; raise PduError without ids."""
        raise NotImplementedError

    def write(self, value: Any) -> bytes:
        """Return the octets of `value`; raise UsageError with this field's status."""
        raise NotImplementedError

    def missing(self) -> PduError:
        return PduError(f"the body ends before {self.name}", ESME_RINVMSGLEN)

    def wrong(self, reason: str) -> UsageError:
        return UsageError(f"{self.name} {reason}", self.status)


@dataclass(frozen=True, slots=True)
class Integer(Field):
    """An unsigned integer of `octets` octets, most significant first (§3.1)."""

    default: int = 0
    octets: int = 1

    def read(self, data: bytes, pos: int, end: int, last: bool) -> tuple[int, int]:
        after = pos + self.octets
        if after > end:
            raise self.missing()
        return int.from_bytes(data[pos:after], "big"), after

    def write(self, value: Any) -> bytes:
        if not isinstance(value, int) or not 0 <= value < 1 << (8 * self.octets):
            raise self.wrong(f"is not an integer of {self.octets} octet(s)")
        return value.to_bytes(self.octets, "big")


@dataclass(frozen=True, slots=True)
class COctetString(Field):
    """A string of at most `size` octets, its terminating NUL included (§3.1).

    Read as latin-1, so that every octet a peer sends survives.
    """

    default: str = ""
    size: int = 0

    def read(self, data: bytes, pos: int, end: int, last: bool) -> tuple[str, int]:
        stop = data.find(b"\0", pos, end)
        if stop >= 0:
            return data[pos:stop].decode("latin-1"), stop + 1
        # The terminator may be missing at the very end of a body, so a body may also lack its last
        # C-octet string altogether: submit_sm_resp without message_id is the frequent case.
        if last:
            return data[pos:end].decode("latin-1"), end
        if pos >= end:
            raise self.missing()
        raise PduError(f"{self.name} is not terminated", self.status)

    def write(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise self.wrong("is not a string")
        if len(value) >= self.size:
            raise self.wrong(f"has {len(value)} octets, at most {self.size - 1} are allowed")
        if "\0" in value:
            raise self.wrong("contains a NUL")
        try:
            return value.encode("latin-1") + b"\0"
        except UnicodeEncodeError:
            raise self.wrong("has characters that are not one octet") from None


@dataclass(frozen=True, slots=True)
class OctetString(Field):
    """Octets counted by a one-octet field in front of them, `count_name` (sm_length, §5.2.21).

    3.4 allows 254, 5.0 255; both occur in the field.
    """

    default: bytes = b""
    count_name: str = ""

    def read(self, data: bytes, pos: int, end: int, last: bool) -> tuple[bytes, int]:
        if pos >= end:
            raise PduError(f"the body ends before {self.count_name}", ESME_RINVMSGLEN)
        after = pos + 1 + data[pos]
        if after > end:
            raise PduError(
                f"{self.count_name} is {data[pos]} but {end - pos - 1} octets are left", self.status
            )
        return data[pos + 1 : after], after

    def write(self, value: Any) -> bytes:
        if not isinstance(value, bytes | bytearray):
            raise self.wrong("is not bytes")
        if len(value) > 255:
            raise self.wrong(f"has {len(value)} octets, at most 255 are allowed")
        return bytes((len(value),)) + value


@dataclass(frozen=True, slots=True)
class Several(Field):
    """A list of composite items, counted by a one-octet field in front, `count_name`."""

    default: tuple[Any, ...] = ()
    count_name: str = ""
    status: int = ESME_RINVNUMDESTS
    shown: str = "masked"

    def read_item(self, data: bytes, pos: int, end: int) -> tuple[Any, int]:
        raise NotImplementedError

    def write_item(self, item: Any) -> bytes:
        raise NotImplementedError

    def read(self, data: bytes, pos: int, end: int, last: bool) -> tuple[tuple[Any, ...], int]:
        if pos >= end:
            raise PduError(f"the body ends before {self.count_name}", ESME_RINVMSGLEN)
        items = []
        count, pos = data[pos], pos + 1
        for _ in range(count):
            item, pos = self.read_item(data, pos, end)
            items.append(item)
        return tuple(items), pos

    def write(self, value: Any) -> bytes:
        if not isinstance(value, tuple | list) or len(value) > 255:
            raise self.wrong("is not a list of at most 255 items")
        try:
            return bytes((len(value),)) + b"".join(map(self.write_item, value))
        except (TypeError, ValueError):
            raise self.wrong("has an item that is not an address") from None


_OCTET = Integer("dest_addr_ton or dest_addr_npi")
_FLAG = Integer("dest_flag", status=ESME_RINVDESTFLAG)
_ADDR = COctetString("destination_addr", status=ESME_RINVDSTADR, size=21)
_DL_NAME = COctetString("dl_name", status=ESME_RINVDLNAME, size=21)
_ERROR = Integer("error_status_code", octets=4)


def _read_address(data: bytes, pos: int, end: int) -> tuple[Address, int]:
    ton, pos = _OCTET.read(data, pos, end, False)
    npi, pos = _OCTET.read(data, pos, end, False)
    addr, pos = _ADDR.read(data, pos, end, False)
    return Address(ton, npi, addr), pos


class DestAddresses(Several):
    """dest_address(es) of submit_multi (§4.5.1.1): an Address each, or a str for a dl_name."""

    __slots__ = ()

    def read(self, data: bytes, pos: int, end: int, last: bool) -> tuple[tuple[Any, ...], int]:
        if pos >= end:
            raise PduError(f"the body ends before {self.count_name}", ESME_RINVMSGLEN)
        items: list[Address | str] = []
        append = items.append
        count, pos = data[pos], pos + 1
        for _ in range(count):
            # Whole addresses, which nearly all are, are read here: 1.0 µs each instead of 2.1.
            stop = data.find(0, pos + 3, end)
            if stop > 0 and data[pos] == DEST_FLAG_SME_ADDRESS:
                append(Address(data[pos + 1], data[pos + 2], str(data[pos + 3 : stop], "latin-1")))
                pos = stop + 1
            else:
                item, pos = self.read_item(data, pos, end)
                append(item)
        return tuple(items), pos

    def read_item(self, data: bytes, pos: int, end: int) -> tuple[Address | str, int]:
        flag, pos = _FLAG.read(data, pos, end, False)
        if flag == DEST_FLAG_SME_ADDRESS:
            return _read_address(data, pos, end)
        if flag == DEST_FLAG_DISTRIBUTION_LIST:
            return _DL_NAME.read(data, pos, end, False)
        raise PduError(f"dest_flag is {flag}, not 1 or 2", ESME_RINVDESTFLAG)

    def write_item(self, item: Any) -> bytes:
        if isinstance(item, str):
            return b"\x02" + _DL_NAME.write(item)
        ton, npi, addr = item
        return b"\x01" + _OCTET.write(ton) + _OCTET.write(npi) + _ADDR.write(addr)


class UnsuccessSmes(Several):
    """unsuccess_sme(s) of submit_multi_resp (§4.5.2.1)."""

    __slots__ = ()

    def read_item(self, data: bytes, pos: int, end: int) -> tuple[UnsuccessSme, int]:
        sme, pos = _read_address(data, pos, end)
        error, pos = _ERROR.read(data, pos, end, False)
        return UnsuccessSme(*sme, error), pos

    def write_item(self, item: Any) -> bytes:
        ton, npi, addr, error = item
        return _OCTET.write(ton) + _OCTET.write(npi) + _ADDR.write(addr) + _ERROR.write(error)


# What the classes of pdu.py declare their fields with. They return Any because the declaration
# `source_addr: str = c_octet_string(21)` names the type of the value, not of the table entry.


def integer(octets: int = 1, status: int = ESME_RINVMSGLEN) -> Any:
    """Declare an integer field of 1, 2 or 4 octets."""
    return Integer(octets=octets, status=status)


def c_octet_string(size: int, status: int = ESME_RINVMSGLEN, shown: str = "plain") -> Any:
    """Declare a C-octet string field of at most `size` octets with its NUL."""
    return COctetString(size=size, status=status, shown=shown)


def octet_string(count_name: str) -> Any:
    """Declare an octet string field counted by the one-octet field `count_name`."""
    return OctetString(count_name=count_name, shown="never")
