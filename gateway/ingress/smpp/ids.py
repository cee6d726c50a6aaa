"""How message ids are spelt to a customer.

In: our id, the login's wish. Out: its spelling, and back. Pure.
"""

from __future__ import annotations

from gateway import ids

LARGEST = (1 << 63) - 1


def spell(identifier: int, form: str) -> str:
    """`decimal`, `hex` or `public` (`msg_...`, as the HTTP API has it)."""
    if form == "decimal":
        return str(identifier)
    return f"{identifier:x}" if form == "hex" else ids.encode("msg", identifier)


def read(text: str, form: str) -> int | None:
    """The id behind a spelling: the login's, or the public one, which both sides may have seen."""
    found = ids.decode("msg", text)
    if found is not None:
        return found
    text = text.strip()
    try:
        value = int(text, 16 if form == "hex" else 10) if text.isascii() and text.isalnum() else -1
    except ValueError:
        return None
    return value if 0 < value <= LARGEST else None
