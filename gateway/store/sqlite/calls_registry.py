"""The calls of `registry.RegistryStore`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.store.registry import Audit, Entry, Kind
from gateway.store.sqlite import registry
from gateway.store.sqlite.calls import Calls


class RegistryCalls(Calls):
    """Registries and the trail."""

    _registry_listeners: list[Callable[[Kind], None]]

    async def put_entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """See the contract."""
        stored = await self._writer.call(
            "put_entries", lambda t: registry.put(t.connection, entries), len(entries)
        )
        self._tell({entry.kind for entry in entries})
        return stored

    async def delete_entry(
        self, kind: Kind, account: str, name: str, actor: str, now: int
    ) -> Entry | None:
        """See the contract."""
        gone = await self._writer.call(
            "delete_entry",
            lambda t: registry.delete(t.connection, kind, account, name, actor, now),
        )
        if gone is not None:
            self._tell({kind})
        return gone

    async def entries(self, kind: Kind, account: str | None = None) -> list[Entry]:
        """See the contract."""
        return await self._reader.call("entries", lambda c: registry.entries(c, kind, account))

    def on_registry(self, listener: Callable[[Kind], None]) -> None:
        """See the contract."""
        self._registry_listeners.append(listener)

    async def note_audit(self, entries: Sequence[Audit]) -> None:
        """See the contract."""
        await self._writer.call(
            "note_audit", lambda t: registry.note(t.connection, entries), len(entries)
        )

    async def audit(
        self,
        account: str | None,
        limit: int,
        cursor: int | None = None,
        *,
        action: str | None = None,
        subject: str | None = None,
    ) -> list[Audit]:
        """See the contract."""
        return await self._reader.call(
            "audit", lambda c: registry.audit(c, account, limit, cursor, action, subject)
        )

    def _tell(self, kinds: set[Kind]) -> None:
        for listener in self._registry_listeners:
            for kind in kinds:
                listener(kind)
