"""Any short_message splits into a header and user data that together are the message again, or
raises PduError; its elements survive building anew; and a part's place is one of its total."""

from __future__ import annotations

from protocol import udh
from protocol.errors import PduError

from . import vectors


def seeds() -> list[bytes]:
    return list(vectors.headers())


def check(data: bytes) -> None:
    try:
        header, rest = udh.parse(data)
    except PduError as error:
        assert error.command_status != 0
        assert not data or data[0] >= len(data)
        return
    assert header.raw + rest == data
    again, nothing = udh.parse(udh.build(header.elements))
    assert nothing == b""
    assert again.elements == header.elements
    assert again.concat == header.concat
    assert (again.single_shift, again.locking_shift) == (
        header.single_shift,
        header.locking_shift,
    )
    if header.concat is not None:
        reference, bits, total, sequence = header.concat
        assert 1 <= sequence <= total <= 255
        assert reference < 1 << bits
        element = udh.concat_element(reference, total, sequence, bits)
        assert udh.parse(bytes((len(element),)) + element)[0].concat == header.concat
