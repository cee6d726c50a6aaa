"""The JSON of status events.

In: messages that took the same step. Out: their events as JSON, many to a text. Knows no store.

There is one event for every change after the acceptance but two: the lease (`sending` is an
internal half-step, shorter than a window) and its end by a retry (`queued` before and after).
`message` with `sequence` identifies an event; sequences grow, with gaps where no event was due.

Hand-made, since every message has at least two: what a list has in common is built once, and a
message adds its id and number, where need be sequence and reference. 0.4 us an event; a msgspec
struct each, built and encoded, takes 2.3 us.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import Final, Protocol

import msgspec

from gateway.errors import REASONS
from gateway.ids import encode
from gateway.model import STATUS_NAMES

TYPE: Final = "message.status"
"""The event's type in the log. Its object, fields without a value left out:

    message account status sequence to at carrier batch client_ref metadata
    reason {code permanent carrier_code text}
    parts [{part status carrier_code}]      multipart messages, once final
"""

CHUNK: Final = 500
"""Events in a text, and in a row of the log: the most one POST may carry."""

Events = tuple[int, str]
"""How many (at most `CHUNK`), and their JSON objects with commas between."""

PartFate = tuple[int, int, str | None]
"""Part, its status, the carrier's code."""


class Subject(Protocol):
    """What an event tells of one message."""

    id: int
    number: int
    sequence: int
    """Before the step."""
    client_ref: str | None
    content: int


class _Heads(dict[int, str]):
    """Public spelling of an id without its last three letters, kept by the bits it stands for:
    messages accepted together share them."""

    def __missing__(self, bits: int) -> str:
        if len(self) > 10_000:
            self.clear()
        text = self[bits] = encode("msg", bits << 15)[:-3]
        return text


_heads: Final = _Heads()
_tails: Final = [encode("msg", bits)[-3:] for bits in range(1 << 15)]

_second = -1
_stamp = ""


def stamp(at: int) -> str:
    """RFC 3339 in UTC with microseconds. The second is formatted once, not for each event."""
    global _second, _stamp
    second, micros = divmod(at, 1_000_000)
    if second != _second:
        _stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second = second
    return f"{_stamp}.{micros:06d}Z"


def status_events(
    subjects: Sequence[Subject],
    account: str,
    status: int,
    at: int,
    *,
    batch: int | None = None,
    carrier: str | None = None,
    reason: str | None = None,
    carrier_code: str | None = None,
    metadata: Mapping[int, str] | None = None,
    parts: Mapping[int, Sequence[PartFate]] | None = None,
) -> list[Events]:
    """An event for each message. `metadata` is JSON by content, `parts` fates by message; either
    may lack entries."""
    if not subjects:
        return []
    head = _head(account, status, carrier)
    tail = f'","at":"{stamp(at)}"'
    if batch is not None:
        tail += f',"batch":"{encode("bat", batch)}"'
    if reason is not None:
        tail += _reason(reason, carrier_code)
    if metadata:
        own = {metadata.get(s.content) for s in subjects}
        if len(own) == 1:  # one campaign's
            (text,) = own
            tail += "" if text is None else f',"metadata":{text}'
            metadata = None
    heads, tails = _heads, _tails
    sequence = subjects[0].sequence + 1
    if metadata or parts or [s.sequence for s in subjects].count(sequence - 1) != len(subjects):
        middles = _each(subjects, head, tail, metadata or {}, parts or {})
        start, end = "{", "}"
    elif [s.client_ref for s in subjects].count(None) == len(subjects):
        # Nearly always: then a message adds two words, and joining adds the rest.
        start, end, head = '{"message":"', tail + "}", f'{head}{sequence},"to":"+'
        middles = [f"{heads[s.id >> 15]}{tails[s.id & 0x7FFF]}{head}{s.number}" for s in subjects]
    else:
        start, end, head = '{"message":"', "}", f'{head}{sequence},"to":"+'
        middles = [
            f"{heads[s.id >> 15]}{tails[s.id & 0x7FFF]}{head}{s.number}{tail}"
            if s.client_ref is None
            else f"{heads[s.id >> 15]}{tails[s.id & 0x7FFF]}{head}{s.number}{tail}"
            f',"client_ref":{quoted(s.client_ref)}'
            for s in subjects
        ]
    between = f"{end},{start}"
    return [
        (len(some), f"{start}{between.join(some)}{end}")
        for first in range(0, len(middles), CHUNK)
        if (some := middles[first : first + CHUNK])
    ]


def _each(
    subjects: Sequence[Subject],
    head: str,
    tail: str,
    metadata: Mapping[int, str],
    parts: Mapping[int, Sequence[PartFate]],
) -> list[str]:
    """Events that differ in more than the usual, without their braces."""
    events: list[str] = []
    for s in subjects:
        text = f'"message":"{encode("msg", s.id)}{head}{s.sequence + 1},"to":"+{s.number}{tail}'
        if s.client_ref is not None:
            text += f',"client_ref":{quoted(s.client_ref)}'
        own = metadata.get(s.content)
        if own is not None:
            text += f',"metadata":{own}'
        fates = parts.get(s.id)
        if fates:
            text += f',"parts":[{",".join(_part(*fate) for fate in fates)}]'
        events.append(text)
    return events


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


@lru_cache(maxsize=4_096)
def _head(account: str, status: int, carrier: str | None) -> str:
    text = f'","account":{_json(account)},"status":"{STATUS_NAMES[status]}"'
    if carrier is not None:
        text += f',"carrier":{_json(carrier)}'
    return text + ',"sequence":'


@lru_cache(maxsize=4_096)
def _reason(code: str, carrier_code: str | None) -> str:
    middle = "" if carrier_code is None else f',"carrier_code":{_json(carrier_code)}'
    reason = REASONS.get(code)
    if reason is None:  # a carrier's profile named a code of its own
        return f',"reason":{{"code":{_json(code)}{middle}}}'
    permanent = "true" if reason.permanent else "false"
    return (
        f',"reason":{{"code":{_json(code)},"permanent":{permanent}{middle}'
        f',"text":{_json(reason.text)}}}'
    )


def _part(part: int, status: int, carrier_code: str | None) -> str:
    code = "" if carrier_code is None else f',"carrier_code":{_json(carrier_code)}'
    return f'{{"part":{part},"status":"{STATUS_NAMES[status]}"{code}}}'
