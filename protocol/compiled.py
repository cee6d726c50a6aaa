"""Specialised `__init__`, decode and encode functions, written from a field table at import.

In: a table of fields. Out: functions without a loop over that table, as `dataclasses` writes
`__init__`; for a submit_sm, walking the table takes 7.1 µs, these take 1.1 µs. They know
well-formed bodies only. On anything else they leave through ValueError, LookupError, TypeError or
PduError, and the caller walks the table (`Field.read`, `Field.write`) to accept or to explain.
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


def compile_decode(fields: Sequence[Field]) -> Callable[[Any, bytes], None]:
    """Return `decode(pdu, octets)`, which sets every field and the TLVs of `pdu` from a body.

    `octets` is the body alone: its positions stay below 257, the ints Python keeps ready, and the
    body is turned into text once instead of once per string. That is 0.3 µs of a submit_sm, and
    1.1 µs of one deep inside a read.
    """
    env: dict[str, Any] = {"read_tlvs": read_tlvs}
    lines = ["def decode(pdu, octets):", "    pos = 0", "    end = len(octets)"]
    if any(isinstance(f, COctetString) for f in fields):
        lines += ["    text = octets.decode('latin-1')", "    find = text.index"]
    ahead = 0  # octets read since `pos` was last assigned
    for number, f in enumerate(fields):
        here = f"pos + {ahead}" if ahead else "pos"
        if isinstance(f, Integer) and f.octets == 1:
            lines.append(f"    pdu.{f.name} = octets[{here}]")
            ahead += 1
            continue
        if isinstance(f, COctetString):
            if ahead:
                lines.append(f"    pos += {ahead}")
            # Half the strings of a submit_sm are empty; asking first saves 0.1 µs for each.
            lines += [
                f"    if octets[pos] == 0: pdu.{f.name} = ''; pos += 1",
                "    else:",
                "        stop = find('\\0', pos)",
                f"        pdu.{f.name} = text[pos:stop]",
                "        pos = stop + 1",
            ]
        elif isinstance(f, OctetString):
            lines += [
                f"    start = {here} + 1",
                "    pos = start + octets[start - 1]",
                f"    pdu.{f.name} = octets[start:pos]",
            ]
        else:
            env[f"read_{number}"] = f.read
            lines.append(f"    pdu.{f.name}, pos = read_{number}(octets, {here}, end, False)")
        ahead = 0
    if ahead:
        lines.append(f"    pos += {ahead}")
    lines += [
        "    if pos == end: pdu.tlvs = ()",
        "    elif pos > end: raise IndexError",
        "    else: pdu.tlvs = read_tlvs(octets, pos, end)",
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
