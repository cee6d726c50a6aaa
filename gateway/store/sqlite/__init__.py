"""The SQLite store: the embedded default, one file, one node."""

from gateway.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
