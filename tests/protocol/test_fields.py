"""Field kinds on their own: what they read, where they stop, what they refuse."""

import pytest

from protocol import constants as c
from protocol.address import Address
from protocol.errors import PduError, UsageError
from protocol.fields import (
    COctetString,
    DestAddresses,
    Field,
    Integer,
    OctetString,
    UnsuccessSme,
    UnsuccessSmes,
)

OCTET = Integer("esm_class", status=c.ESME_RINVESMCLASS)
STRING = COctetString("source_addr", status=c.ESME_RINVSRCADR, size=4)
MESSAGE = OctetString("short_message", count_name="sm_length")
DESTINATIONS = DestAddresses("dest_address", count_name="number_of_dests")
FAILED = UnsuccessSmes("unsuccess_sme", count_name="no_unsuccess")


@pytest.mark.parametrize(
    ("field", "octets", "value"),
    [
        (OCTET, b"\xff", 255),
        (Integer("x", octets=2), b"\x01\x02", 0x0102),
        (Integer("x", octets=4), b"\xff\0\0\0", 0xFF000000),
        (STRING, b"\0", ""),
        (STRING, b"abc\0", "abc"),
        (STRING, b"\xe9\0", "é"),
        (MESSAGE, b"\0", b""),
        (MESSAGE, b"\x03a\0b", b"a\0b"),
        (MESSAGE, b"\xff" + b"x" * 255, b"x" * 255),
        (DESTINATIONS, b"\0", ()),
        (DESTINATIONS, b"\x02\x01\x01\x0146\0\x02dl\0", (Address(1, 1, "46"), "dl")),
        (FAILED, b"\x01\x01\x0146\0\0\0\0\x0b", (UnsuccessSme(1, 1, "46", 11),)),
    ],
)
def test_both_ways(field: Field, octets: bytes, value: object) -> None:
    end = 2 + len(octets)
    assert field.read(b".." + octets + b"..", 2, end, False) == (value, end)
    assert field.write(value) == octets


@pytest.mark.parametrize(
    ("field", "octets", "status"),
    [
        (OCTET, b"", c.ESME_RINVMSGLEN),
        (Integer("x", octets=4), b"\0\0\0", c.ESME_RINVMSGLEN),
        (STRING, b"", c.ESME_RINVMSGLEN),
        (STRING, b"ab", c.ESME_RINVSRCADR),
        (MESSAGE, b"", c.ESME_RINVMSGLEN),
        (MESSAGE, b"\x02a", c.ESME_RINVMSGLEN),
        (DESTINATIONS, b"", c.ESME_RINVMSGLEN),
        (DESTINATIONS, b"\x01\x00", c.ESME_RINVDESTFLAG),
    ],
)
def test_what_cannot_be_read(field: Field, octets: bytes, status: int) -> None:
    # The octet after the end is a NUL that must not help.
    with pytest.raises(PduError) as refused:
        field.read(octets + b"\0\0\0\0", 0, len(octets), False)
    assert refused.value.command_status == status


def test_the_last_string_needs_no_terminator() -> None:
    assert STRING.read(b"ab", 0, 2, True) == ("ab", 2)
    assert STRING.read(b"ab", 2, 2, True) == ("", 2)


def test_a_longer_string_is_read_but_not_written() -> None:
    assert STRING.read(b"abcd\0", 0, 5, False) == ("abcd", 5)
    with pytest.raises(UsageError, match="source_addr has 4 octets, at most 3 are allowed") as no:
        STRING.write("abcd")
    assert no.value.command_status == c.ESME_RINVSRCADR


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (OCTET, 256),
        (OCTET, -1),
        (OCTET, 1.5),
        (OCTET, "1"),
        (STRING, b"a"),
        (STRING, "a\0"),
        (STRING, "Ж"),
        (MESSAGE, "a"),
        (MESSAGE, b"x" * 256),
        (DESTINATIONS, ("dl",) * 256),
        (DESTINATIONS, "dl"),
        (DESTINATIONS, (5,)),
        (FAILED, (Address(1, 1, "46"),)),
    ],
)
def test_what_cannot_be_written(field: Field, value: object) -> None:
    with pytest.raises(UsageError) as refused:
        field.write(value)
    assert refused.value.command_status == field.status
