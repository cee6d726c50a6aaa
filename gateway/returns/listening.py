"""Replies that are keywords: told to the store what they mean, counted, answered.

In: settings, the registries of keywords and senders, replies as the store gives them back. Out:
counts, and answers to be given. A rule that times out again and again is put on record as disabled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

from config.keyword_files import KeywordFile, read_keywords, read_mandatory
from config.policies import Policy
from config.policy_files import PolicyFileError
from config.settings import Account, Carrier
from gateway import metrics as m
from gateway.answering import Wanted
from gateway.errors import ConfigError, StoreError
from gateway.metrics import Metrics
from gateway.policy.keyword_rules import MOST_TIMEOUTS, Rule, Rules
from gateway.policy.keywords import Kind as Meant
from gateway.returns.keywords import Keywords
from gateway.store.keywords import NO_NUMBER, Hear, Meaning
from gateway.store.ledgers import ALL
from gateway.store.messages import InboundMessage
from gateway.store.registry import Audit, Entry, Kind

logger = logging.getLogger(__name__)

ACTOR: Final = "returns"

When = Literal["asked", "refusing", "otherwise"]


class ListeningStore(Protocol):
    """The part of the store asked here."""

    def on_reply(self, hear: Hear, told: Callable[[Sequence[InboundMessage]], None]) -> None:
        """What is asked about the meaning of replies; who is told of those heard late."""
        ...

    async def entries(self, kind: Kind, account: str | None = None) -> list[Entry]:
        """All entries of a kind."""
        ...

    async def cancel_opted_out(
        self, account: str, now: int, numbers: Sequence[int] | None = None
    ) -> int:
        """Cancel what waits for recipients in the ledger."""
        ...

    async def put_entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """Create or replace entries."""
        ...

    async def note_audit(self, entries: Sequence[Audit]) -> None:
        """Add to the trail."""
        ...


class Listening:
    """The keywords in force, and what follows from those that were heard."""

    def __init__(
        self,
        store: ListeningStore,
        metrics: Metrics,
        clock: Callable[[], int],
        answer: Callable[[Sequence[Wanted]], None],
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._answer = answer
        self._file: KeywordFile | None = None
        self._carriers: Sequence[Carrier] = ()
        self._accounts: Sequence[Account] = ()
        self._keywords: Keywords | None = None
        self._rules: dict[str, tuple[list[tuple[str, Rule]], Rules]] = {}
        self._senders: Sequence[str] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing: dict[str, set[int]] = {}
        """Numbers that said STOP, by account: what waits for them is still to be cancelled."""
        self._canceling = False

    def apply(
        self, policy: Policy, carriers: Sequence[Carrier], accounts: Sequence[Account]
    ) -> None:
        """Take a configuration into use. Raises `ConfigError` for a file that went bad after the
        configuration was checked; then the one in force stays."""
        try:
            self._file = read_keywords(policy.keywords)
        except PolicyFileError as error:
            raise ConfigError(error.problems) from None
        self._carriers, self._accounts = carriers, accounts
        self._renew()

    def take_rules(self, entries: Sequence[Entry]) -> None:
        """Take the registry of keywords into use."""
        by_account: dict[str, list[tuple[str, Rule]]] = {}
        for entry in entries:
            rule = _rule(entry.doc)
            if rule is not None:
                by_account.setdefault(entry.account, []).append((entry.name, rule))
        self._look_at_rules()
        before, self._rules = self._rules, {}
        for account, own in by_account.items():
            # Compiling takes some 0.3 ms a pattern: those of other accounts stay as they are.
            known = before.get(account)
            same = known is not None and known[0] == own
            self._rules[account] = known if same and known is not None else (own, Rules(own))
        self._renew()

    def take_senders(self, entries: Sequence[Entry]) -> None:
        """Know our senders: they are not answered."""
        self._senders = [str(entry.doc.get("sender", "")) for entry in entries]
        self._renew()

    def _renew(self) -> None:
        if self._file is not None:
            self._keywords = Keywords(
                self._file,
                read_mandatory(),
                self._accounts,
                self._carriers,
                {account: rules for account, (_, rules) in self._rules.items()},
                self._senders,
            )
            self._store.on_reply(self._keywords.hear, self.heard)

    def outcomes(
        self, account: str, text: str, number: int, sender: str
    ) -> list[tuple[When, Meaning]]:
        """What a text from a number to a sender of ours may mean, the first that applies."""
        if self._keywords is None:
            return []
        message = InboundMessage(
            0, account, "", str(number), sender, text, self._clock(), True, 1, None
        )
        meanings = self._keywords.hear(message)
        if meanings is None:
            return []
        found: list[tuple[When, Meaning | None]] = [
            ("asked", meanings.asked),
            ("refusing", meanings.refusing),
            ("otherwise", meanings.plain),
        ]
        return [(when, meaning) for when, meaning in found if meaning is not None]

    def everybodys(self, account: str, text: str) -> str | None:
        """What a text means whatever rules an account has; None if rules decide."""
        for when, meaning in self.outcomes(account, text, 0, ""):
            if when == "otherwise" and meaning.kind is not Meant.RULE:
                return meaning.kind.value
        return None

    def heard(self, messages: Sequence[InboundMessage]) -> None:
        """Count the keywords among replies, and have answered what is to be answered."""
        wanted: list[Wanted] = []
        for message in messages:
            heard = message.heard
            if heard is None:
                continue
            account, kind = message.account or ALL, heard.keyword.kind
            self._metrics.count(m.KEYWORDS, 1, account, kind)
            if kind == Meant.STOP and heard.unanswered != NO_NUMBER:
                number = int(message.source.lstrip("+"))
                self._refusing.setdefault(account, set()).add(number)
            if heard.unanswered is not None:
                self._metrics.count(m.KEYWORD_ANSWERS, 1, account, kind, heard.unanswered)
            elif heard.answer is not None:
                number = int(message.source.lstrip("+"))
                wanted.append(Wanted(account, kind, number, message.destination, heard.answer))
        if wanted:
            self._answer(wanted)
        if self._refusing and not self._canceling:
            self._canceling = True
            self._soon(self._cancel(), "refusals")
        self._look_at_rules()

    async def _cancel(self) -> None:
        """End what waits for who has refused, those of one look together: they are on record, so
        nothing of it leaves meanwhile."""
        try:
            while self._refusing:
                account, numbers = self._refusing.popitem()
                try:
                    await self._store.cancel_opted_out(account, self._clock(), list(numbers))
                except StoreError:  # then they end in the lease; those of other accounts are next
                    self._metrics.count(m.TASK_ERRORS, 1, "refusals")
        finally:
            self._canceling = False

    def _look_at_rules(self) -> None:
        gone: list[tuple[str, str]] = []
        for account, (_, rules) in self._rules.items():
            if rules.skipped:
                self._metrics.count(m.KEYWORD_RULES_SKIPPED, rules.skipped)
                rules.skipped = 0
            while rules.timed_out:
                gone.append((account, rules.timed_out.pop()))
        if gone:
            self._soon(self._retire(gone), "keyword rules")

    async def _retire(self, gone: Sequence[tuple[str, str]]) -> None:
        """Put on record that rules are not tried any more."""
        now = self._clock()
        why = f"timed out {MOST_TIMEOUTS} times"
        known = {
            (entry.account, entry.name): entry for entry in await self._store.entries(Kind.KEYWORD)
        }
        for account, name in gone:
            self._metrics.count(m.KEYWORD_RULES_OFF, 1, account)
            entry = known.get((account, name))
            if entry is None or "disabled" in entry.doc:
                continue
            logger.warning("keyword rule disabled", extra={"account": account, "rule": name})
            doc = {**entry.doc, "disabled": why}
            await self._store.put_entries(
                [Entry(Kind.KEYWORD, account, name, doc, updated=now, actor=ACTOR)]
            )
            subject = f"{Kind.KEYWORD}/{account}/{name}"
            await self._store.note_audit(
                [Audit(account, ACTOR, "keyword.disable", subject, now, {"why": why})]
            )

    def _soon(self, doing: Any, name: str) -> None:
        task = asyncio.get_running_loop().create_task(doing, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, StoreError):
            logger.error("task failed", exc_info=error, extra={"task": task.get_name()})
        if error is not None:
            self._metrics.count(m.TASK_ERRORS, 1, task.get_name())

    async def settled(self) -> None:
        """Wait for rules that are being put on record as disabled."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _rule(doc: dict[str, Any]) -> Rule | None:
    """A rule as the registry keeps it; None for one a later version wrote."""
    try:
        return msgspec.convert(doc, Rule)
    except msgspec.ValidationError:
        return None
