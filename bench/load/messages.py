"""What is sent: numbers no two of which are equal, and bodies of requests.

In: how many, which text. Out: octets. Numbers come scattered, as a customer's list does: a store
that profits from ascending keys must not profit here.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

# Mobile ranges of four countries, each followed by seven digits.
_PREFIXES: Final = ("+7916", "+3361", "+4670", "+491511")
_RANGE: Final = 10**7
_SCATTER: Final = 7_368_787  # odd and no multiple of 5, so a permutation of the seven digits

TEXTS: Final = {
    ("fixed", "gsm"): "ACME: your parcel is waiting at the station until Friday. Bring your ID.",
    ("fixed", "ucs2"): "ACME: заказ ждёт вас на станции до пятницы. Возьмите паспорт.",
    ("templated", "gsm"): "Hello {{name}}, parcel {{n}} is waiting at the station until Friday.",
    ("templated", "ucs2"): "{{name}}, заказ {{n}} ждёт вас на станции до пятницы.",
    ("long", "gsm"): "ACME: your parcel is waiting. " * 13,
    ("long", "ucs2"): "Заказ ждёт вас на станции. " * 7,
}
"""(text, encoding) -> text; `long` takes three parts."""
_NAMES: Final = ("Anna", "Boris", "Chiara", "Dmitri", "Elin", "Farid", "Greta", "Hugo")


def number(index: int) -> str:
    """The `index`th number, E.164 with plus; different for each index below 40 million."""
    prefix = _PREFIXES[index % len(_PREFIXES)]
    return f"{prefix}{index // len(_PREFIXES) * _SCATTER % _RANGE:07d}"


def batch(
    first: int, count: int, text: str, *, sender: str = "ACME", category: str = "service"
) -> bytes:
    """A body for POST /v1/batches to the numbers `first` to `first + count - 1`."""
    templated = "{{" in text
    recipients: list[dict[str, Any]] = [{"to": number(i)} for i in range(first, first + count)]
    if templated:
        for index, recipient in enumerate(recipients, first):
            recipient["vars"] = {"name": _NAMES[index % len(_NAMES)], "n": str(index)}
    return msgspec.json.encode(
        {"from": sender, "text": text, "category": category, "recipients": recipients}
    )


def single(
    index: int, text: str, *, sender: str = "ACME", category: str = "service", **more: Any
) -> bytes:
    """A body for POST /v1/messages to one number."""
    body = {"from": sender, "to": number(index), "text": text, "category": category, **more}
    return msgspec.json.encode(body)


def chunks(total: int, size: int) -> Sequence[tuple[int, int]]:
    """(first, count) of batches that make up `total` messages."""
    return [(first, min(size, total - first)) for first in range(0, total, size)]
