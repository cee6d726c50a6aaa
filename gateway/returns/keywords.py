"""What a reply means: keywords of everybody, words of subscription, the account's own rules.

In: settings, the files of keywords, the registry. Out: `Keywords.hear`, which the store asks within
the transaction that stores a reply. It changes nothing and knows nothing of what was said before;
what depends on that is given as alternatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from config.keyword_files import Answers, KeywordFile, MandatoryFile
from config.policies import Keywords as Words
from config.settings import Account, Carrier
from gateway.policy.keyword_rules import Rules
from gateway.policy.keywords import BEGINNING, Found, Kind, Vocabulary, digest, fold
from gateway.store.keywords import NO_NUMBER, Meaning, Meanings
from gateway.store.ledgers import spelt
from gateway.store.messages import InboundMessage, Keyword

BRAND: Final = "{brand}"
SHORT_CODE: Final = 8
"""Digits of the longest short code where no carrier's setting tells."""


class _Account(msgspec.Struct, frozen=True):
    """What one account has."""

    words: Words
    join: dict[str, str]
    """Its words of subscription by what they fold to; none if it has no welcome."""
    rules: Rules


_NONE: Final = Rules(())
_NOBODY: Final = _Account(Words(answers=False), {}, _NONE)


class Keywords:
    """Everything that gives replies a meaning, as configured; a change makes another one."""

    __slots__ = ("_accounts", "_answers", "_ours", "_short", "_vocabulary")

    def __init__(
        self,
        file: KeywordFile,
        mandatory: MandatoryFile,
        accounts: Sequence[Account] = (),
        carriers: Sequence[Carrier] = (),
        rules: Mapping[str, Rules] | None = None,
        senders: Iterable[str] = (),
    ) -> None:
        """`rules` by account; `senders` are further ones of ours."""
        self._vocabulary = Vocabulary(file, mandatory)
        self._answers = file.answers
        self._short = {carrier.name: carrier.short_code_digits for carrier in carriers}
        self._ours = frozenset(
            spelt(sender)
            for account in accounts
            for sender in (*account.inbound_numbers, *account.senders, account.default_sender or "")
        ) | frozenset(map(spelt, senders))
        self._accounts = {
            account.name: _Account(
                account.keywords,
                {_compact(word): word for word in account.keywords.join}
                if account.keywords.welcome
                else {},
                (rules or {}).get(account.name, _NONE),
            )
            for account in accounts
        }

    def hear(self, message: InboundMessage, alias: str | None = None) -> Meanings | None:
        """See `store.keywords.Hear`."""
        text, source = message.text, message.source.lstrip("+")
        number = int(source) if source.isascii() and source.isdecimal() else None
        found = self._vocabulary.find(text, number)
        account = self._accounts.get(message.account or "", _NOBODY)
        say = _Saying(self, account, message, alias)
        if found is not None and found.kind is Kind.STOP:
            return Meanings(say.everybodys(found, account.words.stop_answer, "stop"))
        # A word of subscription is the whole text, so a long one is none.
        word = account.join.get(_compact(text)) if len(text) <= BEGINNING else None
        if word is not None:
            return Meanings(say.join(word))
        if found is not None and found.kind is Kind.HELP:
            return Meanings(say.everybodys(found, account.words.help_answer, "help"))
        if found is not None and found.kind is Kind.START:
            return Meanings(say.everybodys(found, account.words.start_answer, "start"))
        rule = self._rule(say, account, message)
        if found is None:
            return None if rule is None else Meanings(rule)
        # YES: to whom it was, the store knows.
        start = found._replace(kind=Kind.START)
        asked = say.confirmed(found) if account.join else None
        return Meanings(rule, asked, say.everybodys(start, account.words.start_answer, "start"))

    def _rule(self, say: _Saying, account: _Account, message: InboundMessage) -> Meaning | None:
        hit = account.rules.find(message.text, spelt(message.destination))
        if hit is None:
            return None
        name, rule = hit
        return say.meaning(
            Kind.RULE, Keyword(Kind.RULE, name, rule.language), rule.reply, event=rule.webhook
        )

    def answers(self, language: str | None, otherwise: str) -> Answers:
        """The shipped answers of a language, else of another, else in English."""
        known = self._answers
        return known.get(language or otherwise) or known.get(otherwise) or known["en"]

    def silent(self, message: InboundMessage, account: _Account) -> str | None:
        """Why nothing may be answered to this phone, if so."""
        source = message.source.lstrip("+")
        if message.account is None:
            return "no_account"
        if not account.words.answers:
            return "off"
        if not (source.isascii() and source.isdecimal()):
            return NO_NUMBER
        if source in self._ours or source == spelt(message.destination):
            return "own_sender"
        if self.is_short(source, message.carrier):
            return "short_code"
        return None

    def is_short(self, digits: str, carrier: str) -> bool:
        """Whether a number is a short code to its carrier."""
        return len(digits) <= self._short.get(carrier, SHORT_CODE)


class _Saying:
    """What would be answered to one reply."""

    __slots__ = ("_account", "_alias", "_keywords", "_message")

    def __init__(
        self, keywords: Keywords, account: _Account, message: InboundMessage, alias: str | None
    ) -> None:
        self._keywords = keywords
        self._account = account
        self._message = message
        self._alias = alias

    def everybodys(self, found: Found, own: str | None, name: str) -> Meaning:
        """A keyword of everybody: the account's own answer or the shipped one."""
        text = own if own is not None else self._shipped(found.language, name)
        return self.meaning(found.kind, Keyword(found.kind, found.word, found.language), text)

    def join(self, word: str) -> Meaning:
        """A word of subscription; with a double opt-in it is asked back."""
        words = self._account.words
        keyword = Keyword(Kind.JOIN, word)
        if words.double_opt_in:
            return self.meaning(Kind.JOIN, keyword, self._question(), question=True)
        wording = f"{word}, answered: {self._fill(words.welcome or '')}"
        return self.meaning(Kind.JOIN, keyword, words.welcome, wording=wording)

    def confirmed(self, yes: Found) -> Meaning:
        """The YES to a question."""
        wording = f"{yes.word} to: {self._fill(self._question())}"
        keyword = Keyword(Kind.JOIN, yes.word)
        return self.meaning(Kind.JOIN, keyword, self._account.words.welcome, wording=wording)

    def _question(self) -> str:
        own = self._account.words.confirm_text
        return own if own is not None else self._shipped(None, "confirm")

    def meaning(
        self,
        kind: Kind,
        keyword: Keyword,
        text: str | None,
        *,
        question: bool = False,
        wording: str = "",
        event: bool = False,
    ) -> Meaning:
        message, words = self._message, self._account.words
        return Meaning(
            kind,
            keyword,
            self._fill(text) if text else None,
            self._keywords.silent(message, self._account),
            words.answers_per_hour,
            digest(message.text),
            question,
            wording,
            (words.brand,) if words.brand else (),
            event,
        )

    def _shipped(self, language: str | None, name: str) -> str:
        answers = self._keywords.answers(language, self._account.words.language)
        text: str = getattr(answers, name)
        return text

    def _fill(self, text: str) -> str:
        return text.replace(BRAND, self._account.words.brand or self._alias or self._number())

    def _number(self) -> str:
        digits = self._message.destination.lstrip("+")
        short = self._keywords.is_short(digits, self._message.carrier)
        return digits if short or not digits.isdecimal() else f"+{digits}"


def _compact(text: str) -> str:
    return fold(text).replace(" ", "")
