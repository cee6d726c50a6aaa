"""What moderation needs to know: the words in force, and what moderators have decided.

In: fingerprints of texts. Out: decisions, from memory where they were asked for before. The store
keeps them, says how many texts may wait, and releases held messages whose text is decided later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gateway.admission.word_lists import WordLists
from gateway.errors import Busy
from gateway.store.moderation import ItemState

PATIENCE: Final = 60.0
"""Seconds until a caller may try again when moderators are behind: a decision takes minutes."""

REMEMBERED: Final = 50_000
"""Decisions kept, 5 MB. What is forgotten costs the store a look-up."""


class Judgements(Protocol):
    """The part of the store that keeps what was decided."""

    async def judged(self, fingerprints: Sequence[bytes]) -> dict[bytes, ItemState]:
        """Of these texts, those there are items of."""
        ...

    def texts_room(self, account: str) -> int:
        """How many more texts of an account may be undecided."""
        ...

    def on_decided(self, listener: Callable[[], None]) -> None:
        """Call `listener()` after decisions."""
        ...


class Moderation:
    """Words and decisions. Without a store nothing is decided."""

    def __init__(
        self, words: WordLists | None = None, judgements: Judgements | None = None
    ) -> None:
        self.words = words or WordLists()
        self._judgements = judgements
        self._decided: dict[bytes, bool] = {}
        if judgements is not None:
            judgements.on_decided(self._decided.clear)

    async def decided(self, account: str, fingerprints: Sequence[bytes]) -> dict[bytes, bool]:
        """Of these texts, those that are decided: whether they may pass.

        Raises `Busy` where more of the others are new than the account's texts have room to wait:
        here, where nobody else's messages are in the list.
        """
        known = self._decided
        found = {one: known[one] for one in fingerprints if one in known}
        asked = [one for one in fingerprints if one not in found]
        if not asked or self._judgements is None:
            return found
        there = await self._judgements.judged(asked)
        new, room = len(asked) - len(there), self._judgements.texts_room(account)
        if new > room:
            raise Busy(
                f"{new} new texts would wait for a moderator, account {account} has room for {room}"
                " more; see most_waiting_items",
                PATIENCE,
            )
        for fingerprint, state in there.items():
            if state is ItemState.WAITING:
                continue
            if len(known) >= REMEMBERED:
                known.clear()
            known[fingerprint] = found[fingerprint] = state is ItemState.APPROVED
        return found
