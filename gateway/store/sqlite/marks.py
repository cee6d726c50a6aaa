"""Who might be in a ledger of millions, told without asking the file.

In: (account, number) pairs as they are recorded. Out: those of a list that may have been; all that
were are among them, and of the others one in 350 at most. The exact look-up, a seek of some
microseconds each, is left for these. Knows no table: `marking` fills it from one.

Three bits a pair (a Bloom filter). Read by any thread; set by the writer's thread before the commit
and by the one that fills it (a transaction that is undone leaves bits behind, which cost a look-up
now and then). Until it is filled everybody is a candidate: slow, and right.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Final

BITS: Final = 21
"""Bits for an entry when it is full: one number in 380 is then taken for an entry. Ten million
entries are 32 MiB."""

SMALLEST: Final = 22
"""log2 of the bits of an empty one: 512 KiB, full with 200,000 entries."""

COARSE: Final = 20
"""Bits of what `mark` tells of a number: of the 10^10 numbers of a big country 10,000 share it."""

# A number's bit: (number ^ salt) % P * (number % Q), without its lowest bits. Its square in the
# number makes it fit for what ledgers hold, blocks of neighbours and every tenth number: there a
# multiplication by a random factor, as quick, took up to 85 % of the asked for entries, and the
# hash Python has for a tuple 35 %. 0.3 to 0.7 us on a busy machine. Seven in eight numbers
# have their first bit unset, so the other two cost little.
P: Final = 1_073_741_789
Q: Final = 536_870_909
R: Final = 268_435_399
LOWEST: Final = 12

_EIGHT: Final = 7
_COARSE_MASK: Final = (1 << COARSE) - 1
_SIXTY: Final = (1 << 60) - 1
_APART: Final = 0x9E3779B97F4A7C15
"""Spreads the small numbers of accounts over all bits (2^64 over the golden ratio)."""


class Marks:
    """A set of (account, number) pairs that may say yes to a few more."""

    __slots__ = (
        "_accounts", "_coarse", "_early", "_erased", "_filter", "_growing", "_lock", "_secret",
        "entries", "everyone",
    )  # fmt: skip

    def __init__(self, secret: int = 0) -> None:
        """`secret`: 60 bits, so that nobody chooses numbers that all fall on one bit."""
        self._secret = secret
        self._filter: tuple[bytearray, int] | None = None
        self._growing: tuple[bytearray, int] | None = None
        self._early: list[tuple[int, Sequence[int]]] | None = None
        self._accounts: set[int] = set()
        self._coarse = bytearray(1 << (COARSE - 3))
        self._erased: set[int] = set()
        self._lock = threading.Lock()
        self.entries = 0
        """Pairs set so far, repetitions included; about."""
        self.everyone: int | None = None
        """The account whose pairs count for all accounts, once there is one."""

    def start(self, secret: int, accounts: Iterable[int]) -> None:
        """Say which accounts have entries, before anybody asks."""
        self._secret = secret
        self._accounts.update(accounts)

    @property
    def ready(self) -> bool:
        """Whether it is filled."""
        return self._filter is not None

    @property
    def full(self) -> bool:
        """Whether it should grow, and is not doing so."""
        own = self._filter
        return (
            own is not None
            and self.entries * BITS > own[1]
            and self._growing is None
            and self._early is None
        )

    @property
    def octets(self) -> int:
        """Memory it takes."""
        return sum(len(own[0]) for own in (self._filter, self._growing) if own is not None)

    def knows(self, account: int) -> bool:
        """Whether the account, or everyone, has any entry."""
        return account in self._accounts or self.everyone is not None

    def candidates(self, account: int, numbers: Sequence[int]) -> list[int]:
        """Those of `numbers` that may have an entry."""
        everyone = self.everyone
        if everyone is None or everyone == account:
            return self._of(account, numbers)
        return self._of(account, numbers) + self._of(everyone, numbers)

    def mark(self, account: int, number: int) -> int:
        """What may be kept of a number to find it by here without telling which it is."""
        return (number ^ self._salt(account)) % P * (number % Q) >> LOWEST & _COARSE_MASK

    def _of(self, account: int, numbers: Sequence[int]) -> list[int]:
        if account not in self._accounts:
            return []
        own = self._filter
        if own is None:
            return list(numbers)
        bits, mask = own
        salt = self._salt(account)
        found = [
            number
            for number in numbers
            if bits[(place := (number ^ salt) % P * (number % Q) >> LOWEST & mask) >> 3]
            >> (place & _EIGHT)
            & 1
            and bits[(place := (number ^ salt) % Q * (number % R) >> LOWEST & mask) >> 3]
            >> (place & _EIGHT)
            & 1
            and bits[(place := (number ^ salt) % R * (number % P) >> LOWEST & mask) >> 3]
            >> (place & _EIGHT)
            & 1
        ]
        if account in self._erased:
            coarse = self._coarse
            found += [
                number
                for number in numbers
                if coarse[
                    (place := (number ^ salt) % P * (number % Q) >> LOWEST & _COARSE_MASK) >> 3
                ]
                >> (place & _EIGHT)
                & 1
            ]
        return found

    # writing

    def add(self, account: int, numbers: Sequence[int]) -> None:
        """They are about to be committed."""
        with self._lock:
            self._accounts.add(account)
            self.entries += len(numbers)
            for own in (self._filter, self._growing):
                if own is not None:
                    self._set(own, account, numbers)
            if self._early is not None:
                self._early.append((account, numbers))

    def collect(self) -> None:
        """Begin to grow (or to be filled). Call it when every `add` so far is committed or undone:
        what is committed from now on may be missing from what is read for it."""
        with self._lock:
            self._early = []

    def begin(self) -> bool:
        """`collect`, unless it is growing already."""
        with self._lock:
            if self._growing is not None or self._early is not None:
                return False
            self._early = []
            return True

    def abandon(self) -> None:
        """`begin` did not come to pass."""
        with self._lock:
            self._early = None

    def allocate(self, entries: int) -> None:
        """Room for about so many, to be filled by `fill` and then `finish`. After an
        attempt that failed the room there is is filled again: it has what was added meanwhile."""
        size = max(SMALLEST, (entries * BITS - 1).bit_length())
        with self._lock:
            if self._growing is None:
                self._growing = (bytearray(1 << (size - 3)), (1 << size) - 1)
            for account, numbers in self._early or ():
                self._set(self._growing, account, numbers)
            self._early = None
            self.entries = 0

    def fill(self, account: int, numbers: Sequence[int]) -> None:
        """Entries read from the file."""
        with self._lock:
            if self._growing is not None:
                self._set(self._growing, account, numbers)
                self.entries += len(numbers)

    def add_marks(self, account: int, marks: Iterable[int]) -> None:
        """Entries of which only the `mark` is kept: all numbers that share it."""
        with self._lock:
            for place in marks:
                self._coarse[place >> 3] |= 1 << (place & _EIGHT)
            self._erased.add(account)
            self._accounts.add(account)

    def finish(self) -> None:
        """It is filled: from now on it tells."""
        with self._lock:
            if self._growing is not None:
                self._filter, self._growing = self._growing, None

    def _salt(self, account: int) -> int:
        return self._secret ^ account * _APART & _SIXTY

    def _set(self, own: tuple[bytearray, int], account: int, numbers: Sequence[int]) -> None:
        bits, mask = own
        salt = self._salt(account)
        for number in numbers:
            mixed = number ^ salt
            place = mixed % P * (number % Q) >> LOWEST & mask
            bits[place >> 3] |= 1 << (place & _EIGHT)
            place = mixed % Q * (number % R) >> LOWEST & mask
            bits[place >> 3] |= 1 << (place & _EIGHT)
            place = mixed % R * (number % P) >> LOWEST & mask
            bits[place >> 3] |= 1 << (place & _EIGHT)
