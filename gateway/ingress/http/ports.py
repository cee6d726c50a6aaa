"""What the HTTP API needs of other stages, as it sees them.

In: nothing. Out: protocols `app` satisfies with the real parts. Knows no stage's own types: results
are read by attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from config.settings import Account
from gateway.draft import SeenNumbers
from gateway.policy.caps import Usage
from gateway.policy.stopwords.lists import StopList
from gateway.policy.stopwords.matcher import Hit
from gateway.store.keywords import Meaning

Clock = Callable[[], int]
"""UTC microseconds."""


class Uploads(Protocol):
    """Who remembers which numbers a batch has."""

    async def seen(self, batch: int) -> SeenNumbers:
        """The numbers of an existing batch, from the store if need be."""
        ...


class Numbering(Protocol):
    """Numbering plans and zones, as admission reads numbers by them."""

    def look(self, raw: str, region: str | None) -> tuple[int, str | None, str | None, str]:
        """(E.164 digits or 0, ISO 3166 country or None, reason code or None, detail) of a number
        in any customary form; `region` is the country it may be national to."""
        ...

    def kind_of(self, detail: str) -> str:
        """The kind of a number that exists, from its detail: `mobile`, `fixed_line` ..."""
        ...

    def zones(self, number: int) -> Sequence[str]:
        """Time zones (IANA) a number can be in."""
        ...


class Registries(Protocol):
    """Who keeps registries in memory."""

    async def settled(self) -> None:
        """Wait, within limits, until every change committed so far is in force."""
        ...


class Keywords(Protocol):
    """Who knows what replies mean."""

    def outcomes(
        self, account: str, text: str, number: int, sender: str
    ) -> list[tuple[Literal["asked", "refusing", "otherwise"], Meaning]]:
        """What a text from a number to a sender of ours may mean, the first that applies."""
        ...

    def everybodys(self, account: str, text: str) -> str | None:
        """What a text means whatever rules an account has (`stop`); None if rules decide."""


class Listed(Protocol):
    """A stop-word list in force."""

    @property
    def account(self) -> str:
        """Whose it is; `registry.EVERYBODY` for all."""
        ...

    @property
    def from_file(self) -> bool:
        """Whether the configuration names it."""
        ...

    @property
    def words(self) -> StopList: ...


class StopWords(Protocol):
    """The stop-word lists in force."""

    def of(self, account: str) -> Sequence[Listed]:
        """Lists there are for an account: its own and everybody's."""
        ...

    def finder(self, account: Account) -> Callable[[str], tuple[Hit, ...]]:
        """What finds the entries a text of the account has."""
        ...

    def in_sender(self, account: Account, sender: str) -> tuple[Hit, ...]:
        """What a sender of the account has."""
        ...

    async def settled(self) -> None:
        """Wait, within limits, until every change committed so far is in force."""
        ...


class TestResult(Protocol):
    """What one test POST to an endpoint came to."""

    @property
    def status(self) -> int:
        """HTTP status; 0 when there was no answer."""
        ...

    @property
    def error(self) -> str:
        """Why there was none, or why it did not count; empty when it did."""
        ...

    @property
    def seconds(self) -> float:
        """How long it took."""
        ...


class Webhooks(Protocol):
    """The events stage, as far as the API talks to it."""

    async def test(self, webhook: int) -> TestResult:
        """POST a `webhook.test` event to the endpoint now, once, and tell what came of it."""
        ...

    def changed(self, account: str | None = None) -> None:
        """Endpoints of the account were created, changed or deleted, or deliveries revived: look
        again."""
        ...


class CategoryWindow(Protocol):
    """Whether a carrier takes a category now."""

    @property
    def category(self) -> str: ...
    @property
    def open(self) -> bool: ...
    @property
    def changes_at(self) -> int | None:
        """UTC µs; None: it stays so."""
        ...


class CarrierStatus(Protocol):
    """One carrier as dispatch sees it now."""

    @property
    def name(self) -> str: ...
    @property
    def bound(self) -> int:
        """Sessions up, of those `wanted`."""
        ...

    @property
    def wanted(self) -> int: ...
    @property
    def window(self) -> int:
        """Submits that may be unanswered over all sessions that are up."""
        ...

    @property
    def outstanding(self) -> int: ...
    @property
    def buffered(self) -> int:
        """PDUs leased and not yet sent."""
        ...

    @property
    def rate(self) -> float:
        """PDU/s by configuration."""
        ...

    @property
    def rate_now(self) -> float:
        """PDU/s in force, slow-down included."""
        ...

    @property
    def last_error(self) -> str: ...
    @property
    def slowed(self) -> bool:
        """Whether complaints have taken something from the rate."""
        ...

    @property
    def windows(self) -> Sequence[CategoryWindow]:
        """Its send windows by category; empty if it has none."""
        ...

    @property
    def caps(self) -> Sequence[Usage]: ...
    @property
    def campaigns(self) -> Sequence[tuple[str, Usage]]:
        """The campaigns that have used most of their day's cap."""
        ...


Usages = Callable[[str], Sequence[Usage]]
"""How an account's caps stand; empty if it has none."""
Carriers = Callable[[], Sequence[CarrierStatus]]
"""Every configured carrier."""
