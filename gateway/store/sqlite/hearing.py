"""Keywords take effect: refusals, returns and consents in the transaction that stores the reply.

In: replies that became whole, and `Memory.hear`, which says what they mean. Out: what was done with
each, and what is to be answered. The ledgers themselves are written by their own modules.

A STOP to a number blocks that number, and the names it stands for: alphanumeric senders cannot
receive, so who wants no more of `ACME` answers from the number another message came from. Which
names these are is read from the message that is answered; an answer of ours in between (HELP, then
STOP) would hide them, so `keyword_answers` keeps them for as long as a reply is linked at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.ids import encode
from gateway.policy.keywords import Kind, digest
from gateway.store.keywords import (
    ASKED_FOR,
    CONFIRMED_FOR,
    NO_NUMBER,
    TALKED_FOR,
    Meaning,
    Meanings,
)
from gateway.store.ledgers import ALL, Consent, ConsentState, spelt
from gateway.store.messages import Heard, InboundMessage, Keyword, OptOut
from gateway.store.sqlite import consents, opt_outs
from gateway.store.sqlite.linking import REPLY_WITHIN, phone
from gateway.store.sqlite.memory import Memory
from gateway.store.sqlite.names import ACCOUNT
from gateway.store.sqlite.packed import pack, unpack
from gateway.store.sqlite.writer import Transaction

SOURCE: Final = "mo"
"""How the ledgers call what a reply said."""

MOST_NAMES: Final = 10
"""Names one number stands for; a person hears of few brands within three days."""

STOPPED: Final = "stop"
TALK: Final = "talk"
QUESTION: Final = "question"

ANSWERED: Final = """
SELECT json_group_array(json_array(m.id, m.content))
FROM json_each(?) AS j CROSS JOIN messages AS m ON m.id = j.value
"""
NOTES: Final = """
SELECT kind, at, detail FROM keyword_answers WHERE account = ? AND number = ? AND sender = ?
"""
NOTE: Final = """
INSERT OR REPLACE INTO keyword_answers (account, number, sender, kind, at, detail)
VALUES (?, ?, ?, ?, ?, ?)
"""
FORGET: Final = """
DELETE FROM keyword_answers WHERE account = ? AND number = ? AND sender = ? AND kind = ?
"""
BLOCKED_WITH: Final = """
SELECT DISTINCT sender FROM opt_outs
WHERE account = ? AND number = ? AND source = 'mo' AND proof ->> 'to' = ?
"""
PRUNE: Final = """
DELETE FROM keyword_answers WHERE rowid IN (
    SELECT rowid FROM keyword_answers WHERE at < ? ORDER BY at LIMIT ?
)
"""

_contents: Final = msgspec.json.Decoder(list[tuple[int, int]])


class _Talk(msgspec.Struct):
    """What we have answered a number from a sender. Its row's time is the first of `count`."""

    count: int = 0
    echo: str = ""
    """`digest` of the last answer, in hex."""
    names: list[str] = []
    """Alphanumeric senders the number stands for."""


_talk: Final = msgspec.json.Decoder(_Talk)


class _Person:
    """One number, seen from one sender of one account, within the transaction."""

    __slots__ = (
        "account",
        "connection",
        "memory",
        "notes",
        "number",
        "owner",
        "sender",
        "talk",
        "talked_at",
    )

    def __init__(
        self, connection: sqlite3.Connection, memory: Memory, account: str, number: int, sender: str
    ) -> None:
        self.connection = connection
        self.memory = memory
        self.account = account
        self.owner = memory.names.intern(connection, ACCOUNT, account)
        self.number = number
        self.sender = sender
        self.notes: dict[str, int] = {}
        self.talk, self.talked_at = _Talk(), 0
        for kind, at, detail in connection.execute(NOTES, self.key):
            self.notes[kind] = at
            if kind == TALK:
                self.talk, self.talked_at = _talk.decode(detail), at

    @property
    def key(self) -> tuple[int, int, str]:
        return self.owner, self.number, self.sender

    def note(self, kind: str, at: int, detail: str | None = None) -> None:
        self.notes[kind] = at
        self.connection.execute(NOTE, (*self.key, kind, at, detail))

    def forget(self, kind: str) -> None:
        if self.notes.pop(kind, None) is not None:
            self.connection.execute(FORGET, (*self.key, kind))

    def lately(self, kind: str, now: int, period: int) -> bool:
        at = self.notes.get(kind)
        return at is not None and now - at < period

    def refuses(self) -> bool:
        wanted = [(self.number, self.sender, ALL)]
        return bool(opt_outs.refused(self.connection, self.memory, self.owner, wanted))

    def remember(self, answer: str, alias: str | None, now: int, counts: bool) -> None:
        """Note an answer before it is given: at most once too few is better than once too many."""
        talk = self.talk
        if now - self.talked_at >= TALKED_FOR:
            talk.count, self.talked_at = 0, now
        talk.count += counts
        talk.echo = digest(answer).hex()
        if alias is not None and spelt(alias) not in talk.names:
            talk.names = [*talk.names, spelt(alias)][-MOST_NAMES:]
        self.note(TALK, self.talked_at, pack(talk))


def hear(
    transaction: Transaction, memory: Memory, messages: Sequence[InboundMessage]
) -> list[Heard | None]:
    """Let the keywords among replies take effect, in their order; None for other replies."""
    if memory.hear is None:
        return [None] * len(messages)
    names = _names(transaction.connection, memory, messages)
    heard: list[Heard | None] = []
    for message in messages:
        alias = None if message.in_reply_to is None else names.get(message.in_reply_to)
        meanings = memory.hear(message, alias)
        heard.append(
            None if meanings is None else _one(transaction, memory, message, meanings, alias)
        )
    return heard


def prune(connection: sqlite3.Connection, now: int, limit: int = 500) -> bool:
    """One small step: forget what no limit asks for any more; True if more waits."""
    return connection.execute(PRUNE, (now - REPLY_WITHIN, limit)).rowcount == limit


def _names(
    connection: sqlite3.Connection, memory: Memory, messages: Sequence[InboundMessage]
) -> dict[int, str]:
    """The alphanumeric senders of the messages that are answered, by message."""
    ids = [one.in_reply_to for one in messages if one.in_reply_to is not None]
    if not ids:
        return {}
    rows = unpack(connection, _contents, ANSWERED, pack(ids))
    contents = memory.contents.get(connection, {content for _, content in rows})
    found = {identifier: contents[content].sender for identifier, content in rows}
    return {identifier: sender for identifier, sender in found.items() if phone(sender) is None}


def _one(
    transaction: Transaction,
    memory: Memory,
    message: InboundMessage,
    meanings: Meanings,
    alias: str | None,
) -> Heard | None:
    number = phone(message.source)
    if number is None:  # a name: nobody we could write to, so nobody who can refuse
        meaning = meanings.plain
        return None if meaning is None else Heard(meaning.keyword, None, NO_NUMBER)
    account = message.account or ALL
    person = _Person(transaction.connection, memory, account, number, spelt(message.destination))
    meaning = _choose(person, meanings, message.at)
    if meaning is None:
        return None
    if meaning.kind is Kind.STOP:
        _stop(transaction, memory, person, message, meaning.keyword, alias)
    elif meaning.kind is Kind.START:
        _start(transaction, memory, person, message.at)
    elif meaning.kind is Kind.JOIN:
        _join(transaction, memory, person, message, meaning, alias)
    answer, why = _answer(person, meaning, alias, message.at)
    return Heard(meaning.keyword, answer, why, meaning.webhook)


def _choose(person: _Person, meanings: Meanings, now: int) -> Meaning | None:
    if meanings.asked is not None and person.lately(QUESTION, now, ASKED_FOR):
        return meanings.asked
    if meanings.refusing is not None and person.refuses():
        return meanings.refusing
    return meanings.plain


def _stop(
    transaction: Transaction,
    memory: Memory,
    person: _Person,
    message: InboundMessage,
    keyword: Keyword,
    alias: str | None,
) -> None:
    senders = dict.fromkeys([person.sender, *person.talk.names])
    if alias is not None:
        senders[spelt(alias)] = None
    proof = {
        "keyword": keyword.word, "reply": encode("inb", message.id), "to": person.sender,
    }  # fmt: skip
    person.forget(QUESTION)
    opt_outs.record(
        transaction,
        memory,
        [
            OptOut(person.account, person.number, sender, ALL, message.at, SOURCE, proof)
            for sender in senders
        ],
    )


def _start(transaction: Transaction, memory: Memory, person: _Person, now: int) -> None:
    """Take back what STOPs to this sender have blocked; what refuses everything stays."""
    accounts = {person.account: person.owner}
    if person.account != ALL:  # a STOP nobody knew whose it was
        accounts[ALL] = memory.names.intern(transaction.connection, ACCOUNT, ALL)
    for account, owner in accounts.items():
        rows = transaction.connection.execute(
            BLOCKED_WITH, (owner, person.number, person.sender)
        ).fetchall()
        for sender in dict.fromkeys([person.sender, *(row[0] for row in rows)]):
            opt_outs.remove(transaction, memory, account, [person.number], sender, ALL, now, SOURCE)


def _join(
    transaction: Transaction,
    memory: Memory,
    person: _Person,
    message: InboundMessage,
    meaning: Meaning,
    alias: str | None,
) -> None:
    if meaning.question:
        person.note(QUESTION, message.at)
        return
    person.forget(QUESTION)
    _start(transaction, memory, person, message.at)
    brands = dict.fromkeys([person.sender, *map(spelt, meaning.brands)])
    if alias is not None:
        brands[spelt(alias)] = None
    consents.record(
        transaction,
        memory,
        [
            Consent(
                person.account, person.number, brand, ConsentState.GRANTED, message.at,
                meaning.wording, "keyword", f"reply {encode('inb', message.id)}",
            )
            for brand in brands
        ],
    )  # fmt: skip


def _answer(
    person: _Person, meaning: Meaning, alias: str | None, now: int
) -> tuple[str | None, str | None]:
    """(what to answer, or why nothing is)."""
    answer = meaning.answer
    if not answer:
        return None, None
    if meaning.silent is not None:
        return None, meaning.silent
    if meaning.digest.hex() == person.talk.echo:
        return None, "echo"
    stop = meaning.kind is Kind.STOP
    if stop:
        if person.lately(STOPPED, now, CONFIRMED_FOR):
            return None, "daily"
        person.note(STOPPED, now)
    elif now - person.talked_at < TALKED_FOR and person.talk.count >= meaning.most:
        return None, "hourly"
    elif meaning.kind is not Kind.HELP and not meaning.question and person.refuses():
        return None, "opted_out"
    person.remember(answer, alias, now, counts=not stop)
    return answer, None
