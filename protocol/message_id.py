"""One message id in the spellings a carrier gives it: in submit_sm_resp and in its receipts.

In: an id as it came, and on which side. Out: a key that is equal for equal messages. All keys live
in one space, the response's spelling made canonical, so a stored key stays valid when the form a
carrier uses in receipts is learnt or corrected later.

It may not know stores or carriers, nor which form is the right one: `candidates` lists what a
receipt's id may stand for, the caller learns which one matches.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

Side = Literal["response", "receipt"]

_HEX: Final = "0123456789abcdefABCDEF"
_DECIMAL: Final = "0123456789"
# SMPP ids are at most 64 characters; int() refuses thousands of digits with an exception.
_LONGEST: Final = 64


def canonical(id: str) -> str:
    """`id` without padding: blanks, NULs, leading zeros and case of hexadecimal digits go.

    Only an id of nothing but hexadecimal digits is folded, or of such digits and dashes (a UUID,
    which keeps its zeros). Anything else, dots and base 62 included, may mean its case and stays.
    """
    id = id.strip(" \t\r\n\0")
    if not id.strip(_HEX):
        return id.lower().lstrip("0") or id[:1]
    if not id.replace("-", "").strip(_HEX):
        return id.lower()
    if len(id) > 2 and id[:2] in ("0x", "0X") and not id[2:].strip(_HEX):
        return id[2:].lower().lstrip("0") or "0"
    return id


def canonical_all(ids: list[str]) -> list[str]:
    """`canonical` of each. What nearly all carriers send, digits with or without padding, is told
    from all of them at once: 0.1 us an id instead of 0.3."""
    if "".join(ids).strip(_HEX):
        return [canonical(id) for id in ids]
    return [id.lstrip("0") or id[:1] for id in "\n".join(ids).lower().split("\n")] if ids else []


def _hex_of_decimal(id: str) -> str:
    key = canonical(id)
    if key and len(key) <= _LONGEST and not key.strip(_DECIMAL):
        return f"{int(key):x}"
    return key


def _decimal_of_hex(id: str) -> str:
    key = canonical(id)
    if key and len(key) <= _LONGEST and not key.strip(_HEX):
        return str(int(key, 16))
    return key


# How the key of the response is found from the id in a receipt. `hex` and `dec` say that both
# sides write the same base, which canonical() covers as it does `as_is`.
FORMS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "as_is": canonical,
        "hex": canonical,
        "dec": canonical,
        "resp_hex_receipt_dec": _hex_of_decimal,
        "resp_dec_receipt_hex": _decimal_of_hex,
    }
)


def normalise(form: str, id: str, side: Side = "response") -> str:
    """The key of `id`, seen in a response or in a receipt of a carrier that uses `form`.

    An id that is no number of the base the form expects keeps its own spelling. Raises KeyError
    for a form that is not in FORMS.
    """
    convert = FORMS[form]
    return canonical(id) if side == "response" else convert(id)


def candidates(id: str) -> tuple[tuple[str, str], ...]:
    """(form, key) for every key that an id seen in a receipt may stand for, likeliest first.

    One form for each distinct key; an empty id has none.
    """
    found: dict[str, str] = {}
    for form in ("as_is", "resp_hex_receipt_dec", "resp_dec_receipt_hex"):
        key = FORMS[form](id)
        if key:
            found.setdefault(key, form)
    return tuple((form, key) for key, form in found.items())
