"""Encode: the cheapest encoding that keeps the text intact, and the parts it takes.

Counts what a carrier with the GSM default alphabet would bill; a carrier that differs segments
again when it sends. A text is refused with its count, never cut.
"""

from __future__ import annotations

from functools import lru_cache

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.errors import Refused
from gateway.model import Encoding
from protocol import gsm7
from protocol.errors import UsageError
from protocol.segment import MAX_PARTS, count_only
from protocol.transliterate import Change, transliterate

_NUMBER = {"gsm": 0, "ascii": 0, "ucs2": 1, "latin1": 2, "binary": 3}
if _NUMBER["ucs2"] != Encoding.UCS2 or _NUMBER["latin1"] != Encoding.LATIN1:
    raise AssertionError("the encodings' numbers and names have come apart")


@lru_cache(maxsize=8192)
def measure(text: str, encoding: str, plain: bool) -> tuple[int, int, int, str, tuple[Change, ...]]:
    """(encoding number, parts, characters, complaint, what transliteration changed) of one text;
    once per distinct text.

    Codes differ for every recipient but campaigns do not, and a chat of a thousand codes a second
    runs through a few thousand texts: hence the size.
    """
    changes: tuple[Change, ...] = ()
    if plain:
        text, changes = transliterate(text)
    try:
        name, parts, characters = count_only(text, encoding=encoding)
    except UsageError as error:
        return 0, 0, 0, str(error), ()
    return _NUMBER[name], parts, characters, "", changes


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `encoding`, `characters`, `parts` and `changes`; refuse texts over `max_parts`."""
    encoding, plain = ask.encoding, ask.transliterate
    most = min(ask.max_parts, MAX_PARTS)
    for draft in drafts:
        if draft.notes is None:
            break
        draft.note(f"at most {most} parts; encoding {encoding}", "max_parts; 3GPP TS 23.038")
    if ask.raw:
        _check_raw(ask, drafts, most)
        return drafts
    if "{{" not in ask.text:
        _check_shared(ask, drafts, most)
        return drafts
    classic = not plain and encoding in ("auto", "gsm")
    for draft in drafts:
        if classic:
            # Texts of a template are as many as recipients and nearly all are this: 0.5 us
            # instead of the 1.6 of a text `measure` has not seen.
            septets = gsm7.encode(draft.text)
            if septets is not None and len(septets) <= 160:
                draft.encoding, draft.parts, draft.characters = 0, 1, len(septets)
                continue
        number, parts, characters, complaint, changes = measure(draft.text, encoding, plain)
        if complaint:
            draft.refuse("invalid_text", complaint, "#/vars")
        elif parts > most:
            draft.refuse(
                "too_long",
                f"{characters} characters take {parts} parts; at most {most} are allowed",
                "#/vars",
            )
        else:
            draft.encoding, draft.parts, draft.characters = number, parts, characters
            draft.changes = changes
    return standing(drafts)


def _check_raw(ask: Ask, drafts: list[Draft], most: int) -> None:
    """A customer's own parts are counted, not made."""
    parts = len(ask.raw)
    if parts > most:
        raise Refused("too_long", f"{parts} parts; at most {most} are allowed", "#/text")
    coding = ask.raw[0].data_coding
    number = Encoding.UCS2 if coding & 0x0C == 0x08 else Encoding.GSM
    if not ask.text:
        number = Encoding.BINARY
    for draft in drafts:
        draft.encoding, draft.parts, draft.characters = int(number), parts, len(ask.text)


def _check_shared(ask: Ask, drafts: list[Draft], most: int) -> None:
    number, parts, characters, complaint, changes = measure(
        ask.text, ask.encoding, ask.transliterate
    )
    if complaint:
        raise Refused("invalid_text", complaint, "#/text")
    if parts > most:
        raise Refused(
            "too_long",
            f"{characters} characters take {parts} parts; at most {most} are allowed "
            "(max_parts raises the limit)",
            "#/text",
        )
    for draft in drafts:
        draft.encoding, draft.parts, draft.characters = number, parts, characters
        draft.changes = changes
