"""What SMPP customers are told of their messages, as JSON for the event log.

In: messages that took the same step, and what their submissions share. Out: a `ReceiptNews` for
each wish and fate among them, many ids to a text. Knows no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.model import FINAL, Status
from gateway.store.messages import Content, Esme
from gateway.store.records import ReceiptNews
from gateway.store.sqlite.status_events import CHUNK, Events, PartFate, Subject

_MASK: Final = 0x1F
"""The bits of registered_delivery that ask the SMSC for something: 0-1 a receipt, 4 intermediate
notifications; 2-3 ask the phone, and pass through (SMPP 3.4 §5.2.17)."""


def _wanted(registered_delivery: int, status: int) -> bool:
    """Whether a customer with this wish hears of a step to `status`."""
    if status == Status.SENT:
        return bool(registered_delivery & 0x10)
    if status not in FINAL:
        return False
    receipt = registered_delivery & 3
    return receipt == 1 or receipt == (3 if status == Status.DELIVERED else 2)


WANTED: Final = tuple(
    frozenset(wish for wish in range(_MASK + 1) if _wanted(wish, status)) for status in Status
)
"""By status: the values of registered_delivery, masked, that ask to hear of it. `unknown` is a
failure to those who wait; if better news comes, it is told again."""

_Group = tuple[list[int], list[int]]
_Fate = tuple[Esme, int, str | None, str | None]
_encode: Final = msgspec.json.Encoder().encode


def receipt_news(
    subjects: Sequence[Subject],
    contents: Mapping[int, Content],
    status: int,
    at: int,
    reason: str | None,
    carrier_code: str | None,
    parts: Mapping[int, Sequence[PartFate]],
) -> list[Events]:
    """The news of one step; a text counts as many events as it has ids. Messages that did not
    come over SMPP, or whose customer did not ask for this, are left out."""
    wanted = WANTED[status]
    if not wanted:
        return []
    alike: dict[Esme, _Group] = {}
    apart: dict[_Fate, _Group] = {}
    for subject in subjects:
        content = contents.get(subject.content)
        if content is None or (esme := content.esme) is None:
            continue
        if content.raw:
            common = (status, reason, carrier_code)
            _each_part(subject, content, esme, common, parts.get(subject.id, ()), apart)
        elif esme.registered_delivery & _MASK in wanted:
            group = alike.get(esme)
            if group is None:
                group = alike[esme] = ([], [])
            group[0].append(content.batch or subject.id)
            group[1].append(subject.number)
    events: list[Events] = []
    for esme, group in alike.items():
        events += _texts((esme, status, reason, carrier_code), at, group)
    for fate, group in apart.items():
        events += _texts(fate, at, group)
    return events


def _each_part(
    subject: Subject,
    content: Content,
    esme: Esme,
    common: tuple[int, str | None, str | None],
    fates: Sequence[PartFate],
    groups: dict[_Fate, _Group],
) -> None:
    """Add a message that was sent in the customer's own parts: each id has its own end."""
    own = {part: (status, code) for part, status, code in fates}
    for place, raw in enumerate(content.raw, start=1):
        status, reason, code = common
        if place in own and own[place][0] != status:
            # Which of our reasons it was is known of the worst part alone.
            (status, code), reason = own[place], None
            if status not in FINAL:  # the message ended while this part was never heard of
                status, reason, code = Status.UNKNOWN, "outcome_unknown", None
        elif place in own:
            code = own[place][1]
        if esme.registered_delivery & _MASK in WANTED[status]:
            ids, numbers = groups.setdefault((esme, int(status), reason, code), ([], []))
            ids.append(raw.id or content.batch or subject.id)
            numbers.append(subject.number)


def _texts(fate: _Fate, at: int, group: _Group) -> list[Events]:
    esme, status, reason, carrier_code = fate
    ids, numbers = group
    return [
        (
            len(some),
            _encode(
                ReceiptNews(
                    esme, status, at, some, numbers[first : first + CHUNK], reason, carrier_code
                )
            ).decode(),
        )
        for first in range(0, len(ids), CHUNK)
        if (some := ids[first : first + CHUNK])
    ]
