"""No statement of this half of the store walks a big table, and none sorts a page."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from database import Database, plan

from gateway.store.sqlite import (
    deliveries,
    idempotency,
    inbound,
    keys,
    linking,
    log_reading,
    log_retention,
    mailboxes,
    queries,
    search,
    webhooks,
)

SMALL = {"webhooks", "keys", "mailboxes"}
"""Tables with as many rows as people have configured."""

SORTS = {
    ("keys", "ALL"),
    ("deliveries", "LIST_OF"),  # pending ones: a handful, by when they are due
}

SEEKS = {
    (
        "log_reading",
        "CHUNKS",
    ): "COVERING INDEX events_by_type (account=? AND type=? AND position>?)",
    (
        "mailboxes",
        "CHUNKS",
    ): "COVERING INDEX events_by_type (account=? AND type=? AND position>?)",
    ("mailboxes", "BODIES"): "e USING INTEGER PRIMARY KEY (rowid=?)",
    ("deliveries", "DUE"): "INDEX deliveries_due (webhook=? AND next_at<?)",
    ("deliveries", "REPLAY_SINCE"): "INDEX deliveries_dead (webhook=? AND id>?)",
    ("deliveries", "SETTLE"): "deliveries USING INTEGER PRIMARY KEY (rowid=?)",
    ("idempotency", "PRUNE"): "INTEGER PRIMARY KEY (rowid=?)",
    ("inbound", "DROP"): "g USING COVERING INDEX sqlite_autoindex_mo_groups_1 (carrier=? AND "
    "source=? AND destination=? AND reference=? AND total=?)",
    ("linking", "IN_TAIL"): "m USING INTEGER PRIMARY KEY (rowid>?)",
    ("linking", "IN_INDEX"): "n USING PRIMARY KEY (run=? AND number=? AND id>?)",
    ("log_retention", "PENDING"): "INDEX deliveries_due (webhook=?)",
    ("log_retention", "BURY"): "INDEX deliveries_due (webhook=?)",
}
"""Where a seek by half a key would still be called a search."""


def statements(module: ModuleType) -> list[tuple[str, str, str]]:
    found = []
    for name, value in vars(module).items():
        texts = {dict: lambda d: d.values(), tuple: iter}.get(type(value), lambda v: [v])(value)
        found += [
            (module.__name__.rpartition(".")[2], name, text)
            for text in texts
            if not name.startswith("_") and isinstance(text, str)
            and re.match(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", text)
            and "{" not in text
        ]  # fmt: skip
    return found


MODULES = (
    deliveries,
    idempotency,
    inbound,
    keys,
    linking,
    log_reading,
    log_retention,
    mailboxes,
    queries,
    search,
    webhooks,
)
ALL = [one for module in MODULES for one in statements(module)]


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("plans") / "store.db")
    yield database
    database.close()


def test_there_are_statements_to_look_at():
    assert len(ALL) > 30


@pytest.mark.parametrize(("module", "name", "sql"), ALL, ids=lambda value: str(value)[:20])
def test_no_statement_walks_a_table(db, module, name, sql):
    tables = {row[0] for row in db.writer.execute("SELECT name FROM sqlite_schema")} - SMALL
    aliases = {table: table for table in tables} | {
        alias: table for table, alias in re.findall(r"(\w+) AS (\w+)", sql) if table in tables
    }
    steps = plan(db.writer, sql)
    for step in steps:
        scanned = re.match(r"SCAN (\w+)", step)
        assert not (scanned and aliases.get(scanned[1])), step
        assert "TEMP B-TREE" not in step or (module, name) in SORTS, step
    assert any(SEEKS.get((module, name), "") in step for step in steps or [""])


@pytest.mark.parametrize("match", [(), *((one,) for one in search.MATCHES.values())])
@pytest.mark.parametrize(
    "walk",
    ["TAIL", "BY_NUMBER", "BY_REF", "BY_ACCOUNT", "BY_BATCH", "OF_BATCH"],
)
def test_a_step_of_a_search_seeks_and_stops(db, walk, match):
    steps = plan(db.writer, search.statement(getattr(search, walk), match, "min"))
    assert not [step for step in steps if "TEMP B-TREE" in step]
    assert not [step for step in steps if re.match(r"SCAN (?!\(|json_each)", step)]
    assert [step for step in steps if "SEARCH m USING INTEGER PRIMARY KEY" in step]
    if walk != "TAIL":
        key = {
            "BY_NUMBER": "i USING PRIMARY KEY (run=? AND number=? AND id>? AND id<?)",
            "BY_REF": "i USING PRIMARY KEY (run=? AND account=? AND ref=? AND id>? AND id<?)",
            "BY_ACCOUNT": "i USING PRIMARY KEY (account=? AND id>? AND id<?)",
            "BY_BATCH": "r USING PRIMARY KEY (batch=? AND first<?)",
            "OF_BATCH": "r USING PRIMARY KEY (batch=?)",
        }[walk]
        assert [step for step in steps if key in step]
