"""Messages of a real store that wait for a moderator."""

from __future__ import annotations

import hashlib
from typing import Any

from workbench import Bench

from gateway.model import Status
from gateway.store.messages import Text
from gateway.store.moderation import Claimed, Decision
from gateway.store.sqlite import moderation
from gateway.store.sqlite.names import ACCOUNT

HELD = Status.HELD_MODERATION


def text(said: str = "hello", account: str = "shop", **more: Any) -> Text:
    """One text; the same words make the same fingerprint."""
    digest = hashlib.blake2b(f"{account}\0{said}".encode(), digest_size=16).digest()
    return Text(digest, account, "ACME", "service", said, **more)


async def hold(
    bench: Bench, waits: dict[Text, list[tuple[int, int]]], account: str = "shop"
) -> None:
    """As `accept` does it for messages it has stored."""

    def call(transaction: Any) -> None:
        owner = bench.store._names.intern(transaction.connection, ACCOUNT, account)
        moderation.hold(transaction, bench.store._memory, owner, waits, bench.now)

    await bench.store._writer.call("hold", call)


async def held(
    bench: Bench, count: int = 1, said: str | Text = "hello", account: str = "shop", **more: Any
) -> list[int]:
    """Messages that wait for one text; returns their ids."""
    submission = bench.submission(count, account=account, status=HELD, **more)
    said = text(said, account) if isinstance(said, str) else said
    submission.texts = [said]
    for message in submission.messages:
        message.text = 0
    assert await bench.store.accept([submission]) == [None]
    return [message.id for message in submission.messages]


def item_of(bench: Bench, said: str = "hello", account: str = "shop") -> int:
    """The id of a text's item."""
    ((item,),) = bench.sql(
        "SELECT id FROM items WHERE fingerprint = ?", text(said, account).fingerprint.hex()
    )
    return int(item)


async def decide(
    bench: Bench, said: str = "hello", *, approve: bool = True, account: str = "shop", **more: Any
) -> Claimed:
    """One moderator's word."""
    decision = Decision(
        item_of(bench, said, account), approve, more.get("actor", "ann"), bench.now,
        more.get("reason", ""),
    )  # fmt: skip
    ((claimed, _),) = await bench.store.decide(None, [decision])
    return claimed


async def carry_out(bench: Bench) -> int:
    """Until nothing is left to do; returns the steps it took."""
    steps = 1
    while await bench.store.carry_out(bench.now):
        steps += 1
        assert steps < 10_000
    return steps


def items(bench: Bench) -> list[tuple[Any, ...]]:
    """Text, state, messages ever held, first due, messages held, of each item."""
    return bench.sql(
        "SELECT json ->> 'text', state, messages, first_due,"
        " (SELECT count(*) FROM held WHERE item = items.id) FROM items ORDER BY id"
    )
