"""The tables, their version, and how a connection is set up.

In: a path. Out: connections with Aldis's pragmas on a database with the current schema. Knows
nothing of what the rows mean to callers.

Conventions: times are UTC microseconds; statuses, encodings and reasons are the numbers of
`gateway.model` and `gateway.errors`; accounts, carriers and lanes are interned (`names`). Ids are
those of `gateway.ids`, so an id is also the time of creation and ascending ids are the order of
acceptance.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from gateway.errors import StoreTooNew
from gateway.store.ledgers import spelt

VERSION: Final = 3
"""`PRAGMA user_version` once all of `_MIGRATIONS` are made."""

_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE names (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,            -- account | carrier | lane
    name TEXT NOT NULL,
    UNIQUE (kind, name)
);

-- What the messages of one submission share, once. `json` is a `messages.Content`.
CREATE TABLE contents (
    id INTEGER PRIMARY KEY,
    json TEXT NOT NULL,
    batch INTEGER,
    first INTEGER,                 -- ids of its messages lie in first..last (single submissions;
    last INTEGER,                  -- a batch's messages are found by batch_ranges)
    erased INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX contents_texts ON contents (id) WHERE erased = 0;

-- No index on numbers or references here: one in random order dirties a page for each row and
-- ruins the rate with a million queued. See by_number, by_ref.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    source INTEGER NOT NULL,       -- unit of fairness: the batch, or -account of single messages
    content INTEGER NOT NULL,
    number INTEGER NOT NULL,
    lane INTEGER NOT NULL,         -- negative while held for moderation: no lease asks there
    status INTEGER NOT NULL,
    sequence INTEGER NOT NULL,     -- status changes so far
    due INTEGER,                   -- when it may leave; minus the lease's time while leased;
                                   -- NULL when nothing is left to send
    deadline INTEGER,              -- when it is given up if not final; NULL once final
    attempts INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    encoding INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    carrier INTEGER,
    reason INTEGER,
    carrier_code TEXT,
    vars TEXT,
    client_ref TEXT,
    batch INTEGER GENERATED ALWAYS AS (CASE WHEN source > 0 THEN source END) VIRTUAL
);
-- One index serves leasing, counting at start and recovery (due < 0).
CREATE INDEX messages_due ON messages (lane, source, due) WHERE due IS NOT NULL;
CREATE INDEX messages_deadline ON messages (deadline) WHERE deadline IS NOT NULL;

-- Filled by `maintain` up to the id in meta `indexed_to`; above that id a query walks the messages
-- themselves. Numbers and references come in random order, so they are kept as sorted runs: `run`
-- is the first id of a stretch of messages indexed together, and its rows are appended, never
-- inserted between others. A look-up seeks once in each run (newest first: runs are disjoint in
-- ids).
CREATE TABLE runs (run INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE by_number (
    run INTEGER NOT NULL, number INTEGER NOT NULL, id INTEGER NOT NULL,
    PRIMARY KEY (run, number, id)
) WITHOUT ROWID;
CREATE TABLE by_ref (
    run INTEGER NOT NULL, account INTEGER NOT NULL, ref TEXT NOT NULL, id INTEGER NOT NULL,
    PRIMARY KEY (run, account, ref, id)
) WITHOUT ROWID;
CREATE TABLE by_account (
    account INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (account, id)
) WITHOUT ROWID;

CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    content INTEGER NOT NULL,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    options TEXT NOT NULL,         -- JSON object
    recipients INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    ineligible INTEGER NOT NULL,
    finished INTEGER               -- when batch.finished was written; NULL while work is left
);
CREATE INDEX batches_by_account ON batches (account, id);
CREATE INDEX batches_open ON batches (id) WHERE finished IS NULL;
CREATE TABLE batch_counts (        -- always equals a count over messages
    batch INTEGER NOT NULL, status INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (batch, status)
) WITHOUT ROWID;
CREATE TABLE batch_ranges (        -- one row for each accept; filter messages by batch as well
    batch INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (batch, first)
) WITHOUT ROWID;
CREATE TABLE ineligible (
    batch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    number TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    client_ref TEXT,
    PRIMARY KEY (batch, position)
) WITHOUT ROWID;

-- What operators call the parts of our messages, in the order they were sent. No index on the
-- operator's id here: many operators' ids are random, and 500 random insertions dirty 500 pages
-- (measured: 20 us a row instead of 2.5). Recent ones are correlated in memory (`correlation`),
-- which is filled at start from the rows above meta `parts_indexed_to`; what is unanswered when it
-- leaves memory goes to parts_index. A message sent twice has rows of both attempts: newest wins.
CREATE TABLE parts (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL,
    carrier INTEGER NOT NULL,
    operator_id TEXT NOT NULL,
    part INTEGER NOT NULL,         -- 1-based
    sent_at INTEGER NOT NULL,
    status INTEGER,                -- its receipt; of a single part the message's status tells,
    carrier_code TEXT,             -- and these stay NULL
    reason INTEGER
);
CREATE INDEX parts_by_message ON parts (message);
CREATE TABLE parts_index (
    carrier INTEGER NOT NULL, operator_id TEXT NOT NULL, message INTEGER NOT NULL,
    part INTEGER NOT NULL,
    PRIMARY KEY (carrier, operator_id, message)
) WITHOUT ROWID;

-- Receipts that came before their response. Keys: the forms the id may take.
CREATE TABLE parked (
    id INTEGER PRIMARY KEY,
    carrier INTEGER NOT NULL,
    status INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reason INTEGER,
    carrier_code TEXT,
    keys TEXT NOT NULL             -- JSON array
);
CREATE TABLE parked_keys (
    carrier INTEGER NOT NULL, operator_id TEXT NOT NULL, parked INTEGER NOT NULL,
    PRIMARY KEY (carrier, operator_id, parked)
) WITHOUT ROWID;

CREATE TABLE opt_outs (
    account INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sender TEXT NOT NULL,          -- * for all
    category TEXT NOT NULL,        -- * for all
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (account, number, sender, category)
) WITHOUT ROWID;

CREATE TABLE mo_groups (           -- replies in parts: what has come of each
    carrier INTEGER NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    reference INTEGER NOT NULL,
    total INTEGER NOT NULL,
    account INTEGER,
    first_at INTEGER NOT NULL,     -- when its first part came
    texts TEXT NOT NULL,           -- JSON object: part number -> text
    done INTEGER NOT NULL,         -- 1: it is in `inbound`; kept a while to know repeated parts by
    UNIQUE (carrier, source, destination, reference, total)
);
CREATE INDEX mo_groups_first_at ON mo_groups (first_at);
CREATE TABLE inbound (
    id INTEGER PRIMARY KEY,
    account INTEGER,
    carrier INTEGER NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    in_reply_to INTEGER
);
CREATE INDEX inbound_by_account ON inbound (account, id);
CREATE INDEX inbound_texts ON inbound (id) WHERE text <> '';

-- The outbox: one row for the events of one type and one account that one call wrote. `body` is
-- their JSON array without its brackets, so chunks concatenate with commas. The newest row is
-- never pruned: positions only grow.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    type TEXT NOT NULL,
    count INTEGER NOT NULL,
    created INTEGER NOT NULL,
    body BLOB NOT NULL
);
-- By type, so that an endpoint that wants only replies passes over a million statuses in one step;
-- with `count`, so that the log is cut into deliveries without touching a body.
CREATE INDEX events_by_type ON events (account, type, position, count);

CREATE TABLE webhooks (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    spec TEXT NOT NULL,            -- JSON of `records.Webhook`
    position INTEGER NOT NULL,     -- the cursor: the next event is `skip` events into chunk
    skip INTEGER NOT NULL          -- `position`
);
CREATE TABLE deliveries (          -- stretches of the log; see `cutting.Cut`
    id INTEGER PRIMARY KEY,
    webhook INTEGER NOT NULL,
    type TEXT NOT NULL,
    events INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    skip INTEGER NOT NULL,         -- events of the first chunk that belong to earlier deliveries
    last_position INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    state TEXT NOT NULL,           -- `records.DeliveryState`
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    last_status INTEGER NOT NULL,
    last_error TEXT NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (webhook, next_at) WHERE state = 'pending';
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, id);
CREATE INDEX deliveries_dead ON deliveries (webhook, id) WHERE state = 'dead';

CREATE TABLE idempotency (         -- answers to repeat for 24 h
    account INTEGER NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (account, scope, key)
);
CREATE INDEX idempotency_created ON idempotency (created);

CREATE TABLE keys (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    account TEXT NOT NULL,
    spec TEXT NOT NULL             -- JSON of `records.ApiKey`
);
"""

_SMPP_CUSTOMERS: Final = """
-- Parts of messages that customers split themselves, until the others come. Only whoever ends them
-- takes them away: they were accepted.
CREATE TABLE waiting_parts (
    id INTEGER PRIMARY KEY,        -- as told to the customer
    account INTEGER NOT NULL,
    system_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    pdu BLOB NOT NULL
);
CREATE TABLE told_ids (            -- ids told for parts, and the message these were joined into
    id INTEGER PRIMARY KEY, message INTEGER NOT NULL
);
CREATE TABLE mailboxes (           -- how far an account's receivers have taken the event log
    account INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,     -- everything up to here, this chunk included
    done TEXT NOT NULL,            -- JSON array of (chunk, event) beyond
    updated INTEGER NOT NULL
);
"""

_POLICY: Final = """
ALTER TABLE messages ADD COLUMN closes INTEGER;  -- when the window it may leave in closes
ALTER TABLE messages ADD COLUMN zone INTEGER;    -- the recipient's time zone (names), if told

-- What moderators judge, and which messages wait for it. A message is in `held` exactly as long as
-- it is held: it leaves with whatever ends or releases it.
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,  -- in hex, so that lists of them travel as JSON
    account INTEGER NOT NULL,
    json TEXT NOT NULL,            -- what `messages.Text` says besides
    state TEXT NOT NULL,           -- moderation.ItemState
    messages INTEGER NOT NULL,     -- ever held for it
    first_due INTEGER,
    claimed_by TEXT,
    claimed_until INTEGER,
    decided_by TEXT,
    decided_at INTEGER,
    reason TEXT,
    used INTEGER,                  -- when a later text was last judged by the decision, about
    erased INTEGER NOT NULL DEFAULT 0  -- 1: retention has taken its text
);
CREATE INDEX items_by_state ON items (state, id);
CREATE INDEX items_by_account ON items (account, state, id);
CREATE INDEX items_texts ON items (id) WHERE erased = 0;
CREATE TABLE held (
    message INTEGER PRIMARY KEY,
    item INTEGER NOT NULL,
    rest INTEGER                   -- validity it had left when its deadline was put off: `spare`
);
CREATE INDEX held_by_item ON held (item, message, rest);

CREATE TABLE registry (
    kind TEXT NOT NULL,            -- registry.Kind
    account TEXT NOT NULL,         -- * for all
    name TEXT NOT NULL,
    doc TEXT NOT NULL,             -- JSON object
    version INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (kind, account, name)
) WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    detail TEXT NOT NULL           -- JSON object
);
CREATE INDEX audit_by_subject ON audit (subject, id);

-- The ledger of refusals. `position` grows with every change, so that a listing can go on where it
-- ended; what was taken back stays, to be told of.
ALTER TABLE opt_outs RENAME TO opt_outs_before;
CREATE TABLE opt_outs (
    account INTEGER NOT NULL,      -- that of `*` for everyone's
    number INTEGER NOT NULL,
    sender TEXT NOT NULL,          -- as ledgers.spelt writes it; * for all
    category TEXT NOT NULL,        -- * for all
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    proof TEXT,                    -- JSON object
    position INTEGER NOT NULL,
    removed INTEGER,               -- when it was taken back
    PRIMARY KEY (account, number, sender, category)
) WITHOUT ROWID;
INSERT OR IGNORE INTO opt_outs (account, number, sender, category, at, source, position)
SELECT account, number, spelt(sender), category, at, source,
    row_number() OVER (ORDER BY account, number, at)
FROM opt_outs_before ORDER BY account, number, at;
DROP TABLE opt_outs_before;
CREATE INDEX opt_outs_by_position ON opt_outs (account, position);
-- Refusals of people whose data were erased. `mark` finds them without the number.
CREATE TABLE opt_out_hashes (
    account INTEGER NOT NULL,
    digest TEXT NOT NULL,          -- of the number, keyed with meta `hash_key`
    sender TEXT NOT NULL,
    category TEXT NOT NULL,
    mark INTEGER NOT NULL,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    proof TEXT,
    position INTEGER NOT NULL,
    PRIMARY KEY (account, digest, sender, category)
) WITHOUT ROWID;
CREATE INDEX opt_out_hashes_by_position ON opt_out_hashes (account, position);
INSERT OR IGNORE INTO meta (name, value) VALUES ('hash_key', randomblob(32)),
    ('marks_secret', random() & 0xFFFFFFFFFFFFFFF);

CREATE TABLE consents (            -- append-only; the newest of a number and brand holds; each
                                   -- index ends in the id
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    number INTEGER NOT NULL,
    brand TEXT NOT NULL,           -- as `ledgers.spelt`; * for all
    state TEXT NOT NULL,           -- ledgers.ConsentState
    at INTEGER NOT NULL,
    wording TEXT NOT NULL,
    source TEXT NOT NULL,
    actor TEXT NOT NULL
);
CREATE INDEX consents_by_number ON consents (account, number, at);
CREATE INDEX consents_by_account ON consents (account);

CREATE TABLE failures (            -- permanent failures in a row
    account INTEGER NOT NULL,
    number INTEGER NOT NULL,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) WITHOUT ROWID;

CREATE INDEX failures_at ON failures (account, at);

CREATE INDEX inbound_by_source ON inbound (account, source);
-- Messages of people who want to be forgotten that are on their way: erased once they are over.
CREATE TABLE erasing (message INTEGER PRIMARY KEY, asked INTEGER NOT NULL);

CREATE TABLE keyword_answers (     -- when a number was last answered; see returns
    account INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sender TEXT NOT NULL,
    kind TEXT NOT NULL,            -- stop (confirmed) | talk (answers, see hearing) | question
    at INTEGER NOT NULL,
    detail TEXT,                   -- JSON object
    PRIMARY KEY (account, number, sender, kind)
);
CREATE INDEX keyword_answers_at ON keyword_answers (at);
ALTER TABLE inbound ADD COLUMN keyword TEXT;          -- JSON of `messages.Keyword`

CREATE TABLE reservations (        -- how much of a cap counts as used; see `policy.caps`
    owner TEXT NOT NULL,           -- carrier/op1, account/shop, campaign/op1/C123
    period TEXT NOT NULL,          -- minute | hour | day
    start INTEGER NOT NULL,
    until INTEGER NOT NULL,
    pdus INTEGER NOT NULL,
    PRIMARY KEY (owner, period)
) WITHOUT ROWID;
CREATE INDEX reservations_until ON reservations (until);
"""

_MIGRATIONS: Final[dict[int, str]] = {0: _TABLES, 1: _SMPP_CUSTOMERS, 2: _POLICY}
"""`_MIGRATIONS[v]` takes a database of version v to v + 1."""


def make_directory(path: Path) -> None:
    """The database's directory, for its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def open_writer(path: Path, synchronous: str, cache: int) -> sqlite3.Connection:
    """The one connection that writes; creates the file (0600) and switches it to WAL.

    Raises `StoreTooNew` before anything is written.

    `isolation_level=None`: transactions are begun and ended by the writer alone.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.execute("PRAGMA busy_timeout = 5000")
    try:
        _version(connection)  # before anything is written: WAL is a mark in the file's header
    except BaseException:
        connection.close()
        raise
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if synchronous == 'NORMAL' else 'FULL'}")
    connection.execute(f"PRAGMA cache_size = -{cache // 1024}")
    connection.execute("PRAGMA temp_store = MEMORY")
    # Checkpoints run on a connection of their own so that no commit waits for one.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    # A log that was copied is cut back to this, so that its size tells how much it holds.
    connection.execute("PRAGMA journal_size_limit = 8388608")
    # Zeroing deleted octets in pages that are rewritten anyway; never extra writes.
    connection.execute("PRAGMA secure_delete = FAST")
    return connection


def open_reader(path: Path, cache: int = 8 << 20) -> sqlite3.Connection:
    """A connection that can only read committed data."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None,
        check_same_thread=False, cached_statements=256,
    )  # fmt: skip
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{cache // 1024}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def migrate(connection: sqlite3.Connection) -> int:
    """Bring the tables to `VERSION`; returns the version found.

    Raises `StoreTooNew` for a database a later Aldis wrote. Each step is one transaction.
    """
    found = _version(connection)
    connection.create_function("spelt", 1, spelt, deterministic=True)
    for version in range(found, VERSION):
        connection.executescript(
            f"BEGIN IMMEDIATE;{_MIGRATIONS[version]}PRAGMA user_version = {version + 1};COMMIT;"
        )
    return found


def _version(connection: sqlite3.Connection) -> int:
    """The schema's version; raises `StoreTooNew` for one this Aldis does not know."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise StoreTooNew(
            f"the store has schema {found}, this Aldis knows up to {VERSION}: "
            "run the newer version, or restore a backup from before the upgrade"
        )
    return found
