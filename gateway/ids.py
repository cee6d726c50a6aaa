"""Time-ordered 63-bit ids and their public spelling.

41 bits of milliseconds since 2024, 10 bits of node, 12 bits of counter. Blocks are handed out
whole, so the messages of one submission have consecutive ids and a batch is a few ranges.
"""

from __future__ import annotations

from typing import Final

EPOCH_MS: Final = 1_704_067_200_000
"""2024-01-01T00:00:00Z: 41 bits from here last until 2093."""

NODE_BITS: Final = 10
COUNTER_BITS: Final = 12
_SHIFT: Final = NODE_BITS + COUNTER_BITS
_COUNTER_MASK: Final = (1 << COUNTER_BITS) - 1

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32 in lower case: no i, l, o, u, so that an id survives being read aloud."""
_TRIPLES: Final = tuple(a + b + c for a in _ALPHABET for b in _ALPHABET for c in _ALPHABET)
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH: Final = 13


class IdSource:
    """Hands out ids for one node; never the same twice, never backwards."""

    __slots__ = ("_last_slot", "_node", "_used")

    def __init__(self, node: int, after: int = 0) -> None:
        """`node` is 0..1023; `after` is the greatest id known from before (the store's)."""
        if not 0 <= node < 1 << NODE_BITS:
            raise ValueError(f"node must be 0..{(1 << NODE_BITS) - 1}, not {node}")
        self._node = node
        self._last_slot = after >> _SHIFT
        self._used = _COUNTER_MASK + 1

    def block(self, count: int, now: int) -> list[int]:
        """`count` ascending ids; `now` is UTC in microseconds.

        A block may run ahead of the clock (10,000 ids take three milliseconds' worth) and a clock
        that was set back only makes ids run ahead longer: order holds, uniqueness holds.
        """
        ids: list[int] = []
        slot = max(now // 1000 - EPOCH_MS, self._last_slot)
        used = self._used if slot == self._last_slot else 0
        while len(ids) < count:
            if used > _COUNTER_MASK:
                slot, used = slot + 1, 0
            take = min(count - len(ids), _COUNTER_MASK + 1 - used)
            first = slot << _SHIFT | self._node << COUNTER_BITS | used
            ids.extend(range(first, first + take))
            used += take
        self._last_slot, self._used = slot, used
        return ids

    def one(self, now: int) -> int:
        """A single id."""
        return self.block(1, now)[0]


def created_at(identifier: int) -> int:
    """The UTC microseconds an id was made at, to the millisecond."""
    return ((identifier >> _SHIFT) + EPOCH_MS) * 1000


def first_id_at(time: int) -> int:
    """The smallest id any node makes at or after `time` (UTC microseconds)."""
    return max(0, -(-time // 1000) - EPOCH_MS) << _SHIFT


def encode(prefix: str, identifier: int) -> str:
    """`encode("msg", 1)` -> `msg_0000000000001`."""
    triples = _TRIPLES
    return (
        f"{prefix}_{_ALPHABET[identifier >> 60]}{triples[identifier >> 45 & 0x7FFF]}"
        f"{triples[identifier >> 30 & 0x7FFF]}{triples[identifier >> 15 & 0x7FFF]}"
        f"{triples[identifier & 0x7FFF]}"
    )


def decode(prefix: str, text: str) -> int | None:
    """The id behind a public spelling, or None if it is not one of `prefix`."""
    head, _, tail = text.partition("_")
    if head != prefix or len(tail) != _LENGTH:
        return None
    identifier = 0
    for letter in tail.lower():
        value = _VALUES.get(letter)
        if value is None:
            return None
        identifier = identifier << 5 | value
    return identifier if identifier < 1 << 63 else None
