"""The registries that checks ask, as they stand.

In: all entries of a kind, whenever it changes. Out: what the checks look things up in, replaced
whole. An entry that cannot be read (a later version wrote it) is left out: nothing is approved by
what nobody understands.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from gateway.policy.senders import RegisteredSender, Senders
from gateway.policy.templates import RegisteredTemplate, Templates
from gateway.store.registry import Entry

T = TypeVar("T")

log = logging.getLogger("aldis.admission")


class Registered:
    """Senders and templates that somebody put on record."""

    __slots__ = ("senders", "templates")

    def __init__(self) -> None:
        self.senders = Senders()
        self.templates = Templates()

    def take_senders(self, entries: Sequence[Entry]) -> None:
        """Put another sender registry in place."""
        self.senders = Senders(
            (entry.account, doc) for entry, doc in _read(entries, RegisteredSender)
        )

    def take_templates(self, entries: Sequence[Entry]) -> None:
        """Put another template registry in place."""
        self.templates = Templates(
            (entry.account, entry.name, doc) for entry, doc in _read(entries, RegisteredTemplate)
        )


def _read(entries: Sequence[Entry], shape: type[T]) -> Iterator[tuple[Entry, T]]:
    for entry in entries:
        try:
            yield entry, msgspec.convert(entry.doc, shape)
        except msgspec.ValidationError as error:
            log.warning(
                "an entry of a registry cannot be read",
                extra={"kind": entry.kind.value, "entry": entry.name, "error": str(error)},
            )
