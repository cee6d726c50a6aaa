"""Blind mutation of inputs, repeatable from its seed: cut, join, overwrite, repeat, flip.

In: a corpus and a `random.Random`. Out: one more input. Lengths and counts are what parsers get
wrong, so numbers at the edges of one, two and four octets are written in often.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

# The edges of integers, and the lengths and tags that steer a reader of SMPP.
EDGES = tuple(
    value.to_bytes(size, "big")
    for size, values in (
        (1, (0, 1, 2, 3, 4, 5, 15, 16, 0x1B, 64, 127, 128, 254, 255)),
        (2, (0, 1, 16, 0x1E, 0x210, 0x424, 0x427, 0x7FFF, 0x8000, 0xFFFF)),
        (4, (0, 4, 15, 16, 17, 0x10000, 0x10001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)),
    )
    for value in values
)
LONGEST = 4096


def mutated(corpus: Sequence[bytes], random: Random) -> bytes:
    """One to four mutations of an input of the corpus."""
    data = random.choice(corpus)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(7)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            other = random.choice(corpus)
            data = data[:at] + other[random.randrange(len(other) + 1) :]
        elif kind == 2:
            edge = random.choice(EDGES)
            data = data[:at] + edge + data[at + len(edge) :]
        elif kind == 3:
            data = data[:at] + random.choice(EDGES) + data[at:]
        elif kind == 4:
            end = random.randrange(at, min(len(data), at + 40) + 1)
            data = data[:end] + data[at:end] * random.randint(1, 3) + data[end:]
        elif kind == 5:
            data = data[:at] + data[at + random.randint(1, 4) :]
        elif data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes((data[at] ^ 1 << random.randrange(8),)) + data[at + 1 :]
    return data[:LONGEST]
