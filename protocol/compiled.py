"""Specialised decode and encode functions, written from a PDU's field table at import.

In: a table of fields. Out: two functions without a loop over that table, as `dataclasses` writes
`__init__`: a loop costs about 4 times as much per submit_sm. The functions know only well-formed
bodies; on anything else they leave through ValueError, IndexError, KeyError, TypeError or `unread`,
and the caller walks the table (`Field.read`, `Field.write`) to accept or to explain.
"""

from collections.abc import Callable, Sequence
from typing import Any

from .fields import OCTET, COctetString, Field, Integer, OctetString
from .tlv import read_tlvs, write_tlvs


def _define(lines: Sequence[str], name: str, env: dict[str, Any]) -> Callable[..., Any]:
    exec("\n".join(lines), env)  # noqa: S102  (the source is ours, from our tables alone)
    function: Callable[..., Any] = env[name]
    return function


def compile_init(fields: Sequence[Field]) -> Callable[..., None]:
    """Return `__init__(self, *, command_status=0, sequence_number=0, tlvs=(), <fields>)`."""
    env = {f"default_{f.name}": f.default for f in fields}
    parameters = "".join(f", {f.name}=default_{f.name}" for f in fields)
    lines = [
        "def __init__(self, *, command_status=0, sequence_number=0, tlvs=(), surplus=b''"
        f"{parameters}):",
        "    self.command_status = command_status",
        "    self.sequence_number = sequence_number",
        "    self.tlvs = tlvs",
        "    self.surplus = surplus",
        *(f"    self.{f.name} = {f.name}" for f in fields),
    ]
    return _define(lines, "__init__", env)


def compile_decode(fields: Sequence[Field]) -> Callable[[Any, bytes, int, int], None]:
    """Return `decode(pdu, data, pos, end)`, which sets every field and the TLVs of `pdu`.

    Positions only grow, so reading past `end` inside a larger buffer is found by one comparison
    after the last field.
    """
    env: dict[str, Any] = {"read_tlvs": read_tlvs}
    lines = ["def decode(pdu, data, pos, end):"]
    if any(isinstance(f, COctetString) for f in fields):
        lines.append("    index = data.index")
    ahead = 0  # octets read since `pos` was last assigned
    for number, f in enumerate(fields):
        here = f"pos + {ahead}" if ahead else "pos"
        if isinstance(f, Integer) and f.octets == 1:
            lines.append(f"    pdu.{f.name} = data[{here}]")
            ahead += 1
            continue
        if isinstance(f, COctetString):
            if ahead:
                lines.append(f"    pos += {ahead}")
            # Most C-octet strings of a submit_sm are empty; asking first saves 100 ns for each.
            lines += [
                f"    if data[pos] == 0: pdu.{f.name} = ''; pos += 1",
                "    else:",
                "        stop = index(0, pos, end)",
                f"        pdu.{f.name} = data[pos:stop].decode('latin-1')",
                "        pos = stop + 1",
            ]
        elif isinstance(f, OctetString):
            lines += [
                f"    start = {here} + 1",
                "    pos = start + data[start - 1]",
                f"    pdu.{f.name} = data[start:pos]",
            ]
        else:
            env[f"field_{number}"] = f
            lines.append(
                f"    pdu.{f.name}, pos = field_{number}.read(data, {here}, end, False)"
            )
        ahead = 0
    if ahead:
        lines.append(f"    pos += {ahead}")
    lines += [
        "    if pos == end: pdu.tlvs = ()",
        "    elif pos > end: raise IndexError",
        "    else: pdu.tlvs = read_tlvs(data, pos, end)",
    ]
    return _define(lines, "decode", env)


def compile_body(fields: Sequence[Field], response: bool) -> Callable[[Any], bytes]:
    """Return `body(pdu)`, the octets after the header.

    The text of all fields is put together first and encoded once; a character above 255 then fails
    as UnicodeEncodeError, which is a ValueError. A response with a non-zero command_status and
    nothing to say has no body (§4.1.2, §4.4.2).
    """
    env: dict[str, Any] = {"octet": OCTET, "write_tlvs": write_tlvs}
    lines = ["def body(pdu):"]
    checks: list[str] = []
    parts: list[str] = []
    text: list[str] = []
    for number, f in enumerate(fields):
        lines.append(f"    v{number} = pdu.{f.name}")
        if isinstance(f, COctetString):
            checks.append(f"len(v{number}) >= {f.size} or '\\0' in v{number}")
            text.append(f"{{v{number}}}\\0")
        elif isinstance(f, Integer) and f.octets == 1:
            text.append(f"{{octet[v{number}]}}")
        elif isinstance(f, OctetString):
            text.append(f"{{octet[len(v{number})]}}")
            parts += [_text(text), f"v{number}"]
            text = []
        else:
            env[f"field_{number}"] = f
            parts += [_text(text), f"field_{number}.write(v{number})"]
            text = []
    if text:
        parts.append(_text(text))
    if response:
        silent = "".join(f" and not v{n}" for n in range(len(fields)))
        lines.append(f"    if pdu.command_status and not pdu.tlvs{silent}: return pdu.surplus")
    if checks:
        lines.append(f"    if {' or '.join(checks)}: raise ValueError")
    lines += [
        f"    out = {' + '.join(p for p in parts if p) or repr(b'')}",
        "    if pdu.tlvs: out += write_tlvs(pdu.tlvs)",
        "    return out + pdu.surplus if pdu.surplus else out",
    ]
    return _define(lines, "body", env)


def _text(pieces: list[str]) -> str:
    return f"f\"{''.join(pieces)}\".encode('latin-1')" if pieces else ""
