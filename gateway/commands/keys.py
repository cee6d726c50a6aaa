"""`aldis keys`: make, list and revoke API keys; hash an SMPP password.

Works on the store's file directly, also while a gateway runs on it: a key is one row, and SQLite
lets a second process write between two commits. Shows a key once, when it is made.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import click
import msgspec

from config.base import Scope
from config.settings import Settings
from gateway import ids
from gateway.commands.configuration import CONFIG, settings_from
from gateway.ingress.http.auth import digest_of, make_key, prefix_of
from gateway.ingress.smpp.logins import make_hash
from gateway.store.records import ApiKey
from gateway.store.sqlite import keys as table
from gateway.store.sqlite import schema

SCOPES = get_args(Scope)
DAY = 86_400_000_000


@contextmanager
def _store(settings: Settings) -> Iterator[sqlite3.Connection]:
    """The store's file, created if need be; commits when the block ends well."""
    path = Path(settings.store.path)
    schema.make_directory(path)
    connection = schema.open_writer(path, settings.store.synchronous, int(settings.store.cache))
    try:
        schema.migrate(connection)
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command("create")
@CONFIG
@click.option("--account", required=True, help="Account the key belongs to.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("messages:write", "messages:read"),
    show_default=True,
    help="What the key may do; repeatable.",
)
@click.option("--network", "networks", multiple=True, help="CIDR it may be used from; repeatable.")
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires.")
@click.option("--name", default="", help="What it is for, shown in lists.")
def create(
    path: Path,
    account: str,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
    days: int | None,
    name: str,
) -> None:
    """Make a key and print it; it cannot be shown again."""
    settings = settings_from(path)
    if account not in {known.name for known in settings.account}:
        known = ", ".join(sorted(each.name for each in settings.account)) or "none"
        raise click.ClickException(f"no account is called {account!r}; there are: {known}")
    now = time.time_ns() // 1000
    secret = make_key()
    key = ApiKey(
        id=ids.IdSource(settings.gateway.node).one(now),
        digest=digest_of(secret),
        prefix=prefix_of(secret),
        account=account,
        scopes=scopes,
        networks=networks,
        created=now,
        expires=now + days * DAY if days else None,
        name=name,
    )
    with _store(settings) as connection:
        table.put_key(connection, key)
    click.echo(secret)
    click.echo(f"{ids.encode('key', key.id)} for {account}: {' '.join(scopes)}", err=True)


@keys.command("list")
@CONFIG
@click.option("--account", help="Only this account's.")
def list_keys(path: Path, account: str | None) -> None:
    """List the keys made with `create`; those of the configuration stand there."""
    with _store(settings_from(path)) as connection:
        for key in table.keys(connection, account):
            state = "revoked" if key.revoked else "active"
            expires = f" expires {_day(key.expires)}" if key.expires else ""
            click.echo(
                f"{ids.encode('key', key.id)}  {key.prefix}...  {key.account:20} {state:8}"
                f"{_day(key.created)}{expires}  {' '.join(key.scopes)}  {key.name}".rstrip()
            )


@keys.command("revoke")
@CONFIG
@click.argument("key_id", metavar="ID")
def revoke(path: Path, key_id: str) -> None:
    """End a key (`key_...`); a running gateway follows within ten seconds."""
    identifier = ids.decode("key", key_id)
    with _store(settings_from(path)) as connection:
        found = [key for key in table.keys(connection, None) if key.id == identifier]
        if not found:
            raise click.ClickException(f"no key {key_id}; `aldis keys list` shows them")
        now = time.time_ns() // 1000
        table.put_key(connection, msgspec.structs.replace(found[0], revoked=now))
    click.echo(f"{key_id} revoked")


@keys.command("hash")
def hash_key() -> None:
    """Print the hash of a key read from standard input, for `hash = ...` in the configuration."""
    secret = sys.stdin.readline().strip()
    if not secret:
        raise click.ClickException("no key on standard input: echo -n KEY | aldis keys hash")
    click.echo(hashlib.sha256(secret.encode()).hexdigest())


@keys.command("smpp-hash")
def hash_password() -> None:
    """Print the hash of an SMPP password read from standard input, for `password_hash = ...`."""
    secret = sys.stdin.readline().rstrip("\n")
    if not secret:
        raise click.ClickException("no password on standard input: aldis keys smpp-hash < FILE")
    if len(secret.encode()) > 8:
        click.echo("longer than the 8 octets SMPP allows: some customers cannot send it", err=True)
    click.echo(make_hash(secret))


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1e6, UTC).strftime("%Y-%m-%d")
