"""No hot statement walks a big table: every plan is looked at."""

from __future__ import annotations

import re

import pytest
from workbench import Bench

from gateway.store.sqlite import (
    accept,
    batches,
    carrying,
    consents,
    contents,
    correlation,
    expire,
    failures,
    forgetting,
    hearing,
    judging,
    lease,
    memory,
    moderation,
    moderation_queue,
    number_index,
    opt_outs,
    opt_outs_cancel,
    opt_outs_erase,
    opt_outs_memory,
    opt_outs_views,
    own_retention,
    receive,
    recover,
    replace,
    retention,
    rows,
    settle,
    subjects,
    told,
    transitions,
)
from gateway.store.sqlite.values import Values

MODULES = (
    accept, batches, carrying, consents, contents, correlation, expire, failures, forgetting,
    hearing, judging, lease, memory, moderation, moderation_queue, number_index, opt_outs,
    opt_outs_cancel, opt_outs_erase, opt_outs_memory, opt_outs_views, own_retention, receive,
    recover, replace, retention, rows, settle, subjects, told, transitions,
)  # fmt: skip


def statements() -> dict[str, str | Values]:
    found: dict[str, str | Values] = {}
    for module in MODULES:
        for name, value in vars(module).items():
            for n, one in enumerate(value if isinstance(value, tuple) else (value,)):
                sql = one.sql(1) if isinstance(one, Values) else one
                if isinstance(sql, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b", sql):
                    suffix = f"[{n}]" if isinstance(value, tuple) else ""
                    found[f"{module.__name__.rpartition('.')[2]}.{name}{suffix}"] = one
    return found


STATEMENTS = statements()

SMALL = {"j", "k", "json_each", "runs", "r", "names", "n", "v", "mailboxes"}
"""Parameters, and tables with few rows, by the names statements give them."""

WALKS = {
    # At start, once: a covering walk of the index counts what waits.
    "memory.WAITING": {"SCAN messages USING COVERING INDEX messages_due"},
    "memory.OPEN_BATCHES": {"SCAN batches USING INDEX batches_open"},
    # At start, once: a covering walk of the index counts what is held.
    "moderation_queue.HELD": {"SCAN held USING COVERING INDEX held_by_item", "SCAN h"},
    # In a thread and on a connection of its own: how large the marks must be.
    "failures.HOW_MANY": {"SCAN failures USING COVERING INDEX failures_at"},
    # In order of the key, as far as LIMIT.
    "retention.PARKED": {"SCAN parked"},
    # Behind the start, in a thread of its own.
    "opt_outs_memory.COUNT": {"SCAN opt_outs"},
    "opt_outs_memory.MARKS": {"SCAN opt_out_hashes"},
    # The rows of a subquery that has a LIMIT.
    "carrying.NEXT": {"SCAN h"},
    "correlation.LOG": {"SCAN p"},
    "judging.PAGE": {"SCAN i"},
    "judging.PAGE_OF": {"SCAN i"},
    "retention.OLD_TOLD": {"SCAN t"},
    "own_retention.INDEXED": {"SCAN i"},
    "own_retention.TAIL": {"SCAN m"},
    # At start, once; as many as the server lets wait.
    "told.WAITING": {"SCAN waiting_parts"},
}


def plan(bench: Bench, sql: str) -> list[str]:
    numbered = [int(n) for n in re.findall(r"\?(\d+)", sql)]
    count = max(numbered) if numbered else sql.count("?")
    return [row[3] for row in bench.sql(f"EXPLAIN QUERY PLAN {sql}", *[1] * count)]


def test_all_statements_are_found():
    assert len(STATEMENTS) > 60


@pytest.mark.parametrize("size", [1, 512])
async def test_no_statement_walks_a_big_table(bench: Bench, size: int):
    walks = {}
    for name, value in STATEMENTS.items():
        for step in plan(bench, value.sql(size) if isinstance(value, Values) else value):
            if re.match(r"SCAN (\(subquery-\d+\)|\d+ CONSTANT ROWS?|CONSTANT ROW)$", step):
                continue
            if step.startswith("SCAN") and step.split()[1] not in SMALL:
                walks.setdefault(name, set()).add(step)
    assert walks == WALKS


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "lease.DUE",
            "messages USING INDEX messages_due (lane=? AND source=? AND due>? AND due<?)",
        ),
        (
            "lease.NEXT",
            "messages USING COVERING INDEX messages_due (lane=? AND source=? AND due>?)",
        ),
        ("carrying.NEXT", "held USING COVERING INDEX held_by_item (item=?)"),
        ("carrying.NEXT", "m USING INTEGER PRIMARY KEY (rowid=?)"),
        ("carrying.RELEASE", "messages USING INTEGER PRIMARY KEY (rowid=?)"),
        ("carrying.RELEASE_LATER", "held USING INTEGER PRIMARY KEY (rowid=?)"),
        ("carrying.DONE", "held USING COVERING INDEX held_by_item (item=?)"),
        ("judging.PAGE", "items USING INDEX items_by_state (state=? AND id>?)"),
        ("judging.PAGE_OF", "items USING INDEX items_by_account (account=? AND state=? AND id>?)"),
        ("judging.ERASE", "items USING INDEX items_texts (id<?)"),
        ("moderation.WAITED", "h USING INTEGER PRIMARY KEY (rowid=?)"),
        ("lease.TAKE", "messages USING INTEGER PRIMARY KEY (rowid=?)"),
        ("transitions.SENT", "messages USING INTEGER PRIMARY KEY (rowid=?)"),
        ("transitions.ENDED", "messages USING INTEGER PRIMARY KEY (rowid=?)"),
        ("transitions.EACH", "messages USING INTEGER PRIMARY KEY (rowid=?)"),
        ("settle.REQUEUE", "messages USING INTEGER PRIMARY KEY (rowid=?)"),
        ("replace.REPLACE", "messages USING INTEGER PRIMARY KEY (rowid=?)"),
        ("told.RESOLVE", "m USING INTEGER PRIMARY KEY (rowid=?)"),
        ("told.RESOLVE", "told_ids USING INTEGER PRIMARY KEY (rowid=?)"),
        ("told.DROP", "waiting_parts USING INTEGER PRIMARY KEY (rowid=?)"),
        ("retention.OLD_TOLD", "told_ids USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (
            "retention.DROP_MAILBOXES",
            "e USING COVERING INDEX events_by_type (account=? AND type=? AND position>?)",
        ),
        ("rows.READ", "m USING INTEGER PRIMARY KEY (rowid=?)"),
        ("receive.PART", "parts USING INDEX parts_by_message (message=?)"),
        ("receive.PARTS", "p USING INDEX parts_by_message (message=?)"),
        ("receive.PARKED", "k USING PRIMARY KEY (carrier=? AND operator_id=?)"),
        ("correlation.FIND", "i USING PRIMARY KEY (carrier=? AND operator_id=?)"),
        ("expire.OVERDUE", "messages USING INDEX messages_deadline (deadline<?)"),
        (
            "accept.USED",
            "i USING INDEX sqlite_autoindex_idempotency_1 (account=? AND scope=? AND key=?)",
        ),
        ("opt_outs.OF_NUMBERS", "o USING PRIMARY KEY (account=? AND number=?)"),
        ("opt_outs.OF_DIGESTS", "h USING PRIMARY KEY (account=? AND digest=?)"),
        (
            "opt_outs.REMOVE",
            "opt_outs USING PRIMARY KEY (account=? AND number=? AND sender=? AND category=?)",
        ),
        (
            "opt_outs.REMOVE_DIGESTS",
            "opt_out_hashes USING PRIMARY KEY (account=? AND digest=?)",
        ),
        ("opt_outs_cancel.OF_NUMBERS", "i USING PRIMARY KEY (run=? AND number=?)"),
        ("opt_outs_cancel.OF_NUMBERS", "m USING INTEGER PRIMARY KEY (rowid>?)"),
        (
            "opt_outs_cancel.OF_SOURCE",
            "messages USING INDEX messages_due (lane=? AND source=? AND due=? AND rowid>?)",
        ),
        (
            "opt_outs_cancel.OF_SOURCE",
            "messages USING INDEX messages_due (lane=? AND source=? AND due>?)",
        ),
        ("opt_outs_memory.SOME", "opt_outs USING PRIMARY KEY (account=? AND number>?)"),
        (
            "opt_outs_views.LIST",
            "opt_outs USING INDEX opt_outs_by_position (account=? AND position>?)",
        ),
        (
            "recover.LEASED",
            "messages USING COVERING INDEX messages_due (lane=? AND source=? AND due<?)",
        ),
    ],
)
async def test_hot_statements_seek(bench: Bench, name: str, expected: str):
    value = STATEMENTS[name]
    steps = plan(bench, value.sql(8) if isinstance(value, Values) else value)
    assert f"SEARCH {expected}" in steps, steps
