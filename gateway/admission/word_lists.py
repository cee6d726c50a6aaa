"""The stop-word lists in force: read from files and the registry, compiled, exchanged as one.

In: `[policy] stopwords`, the registry and word of its changes. Out: what texts and senders of an
account have. The lists for everybody are one automaton, those of an account another. Compiling goes
on in a thread (20,000 entries: 0.3 s of work, whose last step holds the interpreter for 15 to 40
ms); until it is done the lists before stay in force, and afterwards all the new ones are. Knows no
draft.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from config.policies import Policy
from config.settings import Account
from gateway import metrics as m
from gateway.errors import AldisError
from gateway.policy.stopwords import lists
from gateway.policy.stopwords.lists import ListProblems, StopList
from gateway.policy.stopwords.matcher import Hit, Matcher
from gateway.store.registry import EVERYBODY, Entry, Kind

RETRY: Final = 5.0
"""Seconds until lists are read again from a store that could not be asked."""
PATIENCE: Final = 10.0
"""Seconds `settled` waits: compiling the longest list there may be takes two on a busy machine."""

log = logging.getLogger("aldis.admission")


class Registry(Protocol):
    """The part of the store that keeps lists put through the API."""

    async def entries(self, kind: Kind, account: str | None = None) -> list[Entry]:
        """All of a kind."""
        ...


class Listed(NamedTuple):
    """One list in force, and whose it is."""

    account: str
    """`registry.EVERYBODY`, or who has it for themselves."""
    from_file: bool
    words: StopList


class _InForce(NamedTuple):
    """All lists at one moment."""

    listed: tuple[Listed, ...]
    everybody: Matcher
    own: dict[str, Matcher]
    versions: dict[tuple[str, tuple[str, ...]], bytes]
    """Remembered answers of `WordLists.versions`."""


_NONE: Final = Matcher(())


class WordLists:
    """What is looked for, at any moment."""

    def __init__(self, registry: Registry | None = None, metrics: m.Metrics | None = None) -> None:
        self._registry = registry
        self._metrics = metrics
        self._files: list[StopList] = []
        self._compiled: dict[tuple[str, str, int], StopList] = {}
        """Lists of the registry by account, name and version: what has not changed is not read
        again."""
        self._now = _InForce((), _NONE, {}, {})
        self._changed = False
        self._reading: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._told: set[tuple[str, str]] = set()

    # --- changes

    async def apply(self, policy: Policy, accounts: Sequence[Account] = ()) -> None:
        """Read files and the registry; raises `ConfigError`, and changes nothing then, if a file
        cannot be used. Lists the accounts name and nobody has are told in the log: they may still
        come through the API."""
        self._files = await asyncio.to_thread(lists.load_lists, policy.stopwords)
        await self._read()
        for account in accounts:
            there = {one.words.name for one in self.of(account.name)} | {"*"}
            for name in account.moderation.lists:
                if name not in there:
                    log.warning("account %s: there is no stop-word list `%s`", account.name, name)

    def changed(self, kind: Kind) -> None:
        """The registry has changed (`Store.on_registry`)."""
        if kind is not Kind.STOPWORDS:
            return
        self._changed = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._keep_up())

    async def settled(self) -> None:
        """Return when what the registry has is in force; gives up after `PATIENCE`."""
        if self._reading is not None and not self._reading.done():
            await asyncio.wait([self._reading], timeout=PATIENCE)

    async def stop(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def _keep_up(self) -> None:
        while self._changed:
            self._changed = False
            try:
                await self._read()
            except AldisError as error:
                log.warning("stop-word lists could not be read again: %s", error)
                self._changed = True
                await asyncio.sleep(RETRY)
            except Exception:  # the task's outermost edge
                log.exception("stop-word lists could not be compiled; those before stay in force")
                if self._metrics is not None:
                    self._metrics.count(m.TASK_ERRORS, 1, "stopwords")

    async def _read(self) -> None:
        # Of two readings beside each other the older could be the last to arrive.
        async with self._one_at_a_time:
            entries = [] if self._registry is None else await self._registry.entries(Kind.STOPWORDS)
            found, kept = await asyncio.to_thread(self._compile, entries, self._files)
            self._compiled = kept
            self._now = found
            self._tell(found.listed)

    def _compile(
        self, entries: Sequence[Entry], files: Sequence[StopList]
    ) -> tuple[_InForce, dict[tuple[str, str, int], StopList]]:
        """On a thread: reads what it is given and what is in force, changes nothing."""
        kept: dict[tuple[str, str, int], StopList] = {}
        listed = [Listed(EVERYBODY, True, one) for one in files]
        for entry in entries:
            key = (entry.account, entry.name, entry.version)
            words = self._compiled.get(key) or _read_entry(entry)
            if words is not None:
                kept[key] = words
                listed.append(Listed(entry.account, False, words))
        before = self._now
        everybody = _matcher([one for one in listed if one.account == EVERYBODY], before.everybody)
        own = {
            account: _matcher(
                [one for one in listed if one.account == account], before.own.get(account, _NONE)
            )
            for account in {one.account for one in listed} - {EVERYBODY}
        }
        return _InForce(tuple(listed), everybody, own, {}), kept

    def _tell(self, listed: Iterable[Listed]) -> None:
        """The versions in force. Accounts' own lists have none: their number has no limit."""
        if self._metrics is None:
            return
        now = {}
        for one in listed:
            if one.account == EVERYBODY:
                now[one.words.name, one.words.version] = one.words.entries
        for gone in self._told - set(now):
            self._metrics.forget(m.STOP_WORD_LISTS, *gone)
        for labels, entries in now.items():
            self._metrics.set(m.STOP_WORD_LISTS, entries, *labels)
        self._told = set(now)

    # --- questions

    def of(self, account: str) -> list[Listed]:
        """Lists there are for an account: its own and everybody's."""
        return [one for one in self._now.listed if one.account in (account, EVERYBODY)]

    def any_for(self, account: Account) -> bool:
        """Whether any list applies to the account."""
        return self.versions(account) != b""

    def versions(self, account: Account) -> bytes:
        """A digest of the lists that apply to the account, with their versions; empty: none do."""
        now = self._now
        key = (account.name, account.moderation.lists)
        known = now.versions.get(key)
        if known is None:
            applying = [
                (one.account, one.words.name, one.words.version, one.words.digest.hex())
                for one in self.of(account.name)
                if _applies(account, one.words.name)
            ]
            packed = msgspec.json.encode(sorted(applying))
            known = hashlib.blake2b(packed, digest_size=16).digest() if applying else b""
            now.versions[key] = known
        return known

    def finder(self, account: Account) -> Callable[[str], tuple[Hit, ...]]:
        """What finds the entries a text of the account has. Ask again for the next submission: the
        lists may have changed."""
        now = self._now
        own = now.own.get(account.name)
        if own is None and "*" in account.moderation.lists:
            return now.everybody.find
        everybody, own = now.everybody.find, own or _NONE
        find_own = own.find
        return lambda text: _applying(account, everybody(text) + find_own(text))

    def clean(self, account: Account, texts: Sequence[str]) -> bool:
        """Whether certainly none of the texts of the account has an entry."""
        now = self._now
        own = now.own.get(account.name)
        return now.everybody.clean(texts) and (own is None or own.clean(texts))

    def in_sender(self, account: Account, sender: str) -> tuple[Hit, ...]:
        """What a sender of the account has."""
        now = self._now
        hits = now.everybody.find_in_sender(sender)
        own = now.own.get(account.name)
        if own is not None:
            hits += own.find_in_sender(sender)
        return _applying(account, hits)

    def count(self, hits: Mapping[Hit, int]) -> None:
        """Tell the metrics what was found, by message. Accounts' own lists are one series: their
        number has no limit."""
        if self._metrics is None:
            return
        series: Counter[tuple[str, str]] = Counter()
        for hit, times in hits.items():
            series[("own", "own") if hit.own else (hit.list, hit.cls)] += times
        for labels, times in series.items():
            self._metrics.count(m.STOP_WORD_HITS, times, *labels)


def _read_entry(entry: Entry) -> StopList | None:
    try:
        doc = lists.from_json(entry.doc)
        return lists.compile_list(entry.name, str(entry.version), doc)
    except (msgspec.ValidationError, ListProblems):
        # The API stores nothing it could not compile: another version of Aldis wrote it.
        log.error("stop-word list %s/%s cannot be read: put it again", entry.account, entry.name)
        return None


def _matcher(listed: Sequence[Listed], before: Matcher) -> Matcher:
    words = tuple(one.words for one in listed)
    if words == before.lists:
        return before
    return Matcher(words, own=any(one.account != EVERYBODY for one in listed))


def _applies(account: Account, name: str) -> bool:
    return "*" in account.moderation.lists or name in account.moderation.lists


def _applying(account: Account, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    if not hits or "*" in account.moderation.lists:
        return hits
    return tuple(hit for hit in hits if hit.list in account.moderation.lists)
