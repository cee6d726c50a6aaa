"""Whatever octets come, `dump` gives lines and never raises, of octets and of the PDU in them; a
masked dump holds no number in full, and no dump holds a password."""

from __future__ import annotations

from protocol.constants import HEADER_LENGTH, MAX_PDU
from protocol.dump import dump
from protocol.errors import SmppError
from protocol.pdu import Pdu, decode

from . import vectors


def seeds() -> list[bytes]:
    found = list(vectors.pdus())
    return [octets[4:] for octets in found] + [b"".join(found[:3]), found[0][:-1]]


def check(data: bytes) -> None:
    for masked in (False, True):
        assert dump(data, masked)
    if not HEADER_LENGTH - 4 <= len(data) <= MAX_PDU - 4:
        return
    octets = (len(data) + 4).to_bytes(4, "big") + data
    assert dump(octets)
    shown = dump(octets, masked=True)
    try:
        pdu = decode(octets)
    except SmppError:
        assert "! " in shown or "body" in shown
        return
    for lines in (shown, dump(pdu, masked=True)):
        _check_masked(pdu, lines)
    _check_secret(pdu, dump(pdu))


def _check_masked(pdu: Pdu, lines: str) -> None:
    shown = dict(line.split(None, 1) for line in lines.splitlines() if line.startswith("  "))
    for f in pdu.fields:
        value = getattr(pdu, f.name)
        if f.shown == "masked" and isinstance(value, str) and len(value) > 8 and value.isdigit():
            assert value not in shown[f.name]


def _check_secret(pdu: Pdu, lines: str) -> None:
    for line in lines.splitlines():
        if line.split()[:1] == ["password"]:
            assert line.endswith(" octets")
