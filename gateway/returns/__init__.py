"""Returns: what operators send us -> receipts matched to messages, replies stored, keywords heard.

In: the `deliver_sm` and `data_sm` of one read of one link, as a list. Out: the `command_status` to
answer each with, after the commit that holds them and whatever a STOP among them changes. Knows the
store's contract and the protocol, no link and no customer.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Final, Protocol

from config.policies import Policy
from config.settings import Account, Carrier
from gateway.answering import Wanted
from gateway.metrics import INBOUND, RECEIPT_DELAY, RECEIPTS, RETURNS_REFUSED, Metrics
from gateway.returns.addresses import international
from gateway.returns.id_form import IdForm
from gateway.returns.inbound import inbound_part
from gateway.returns.listening import Listening, ListeningStore
from gateway.returns.reading import Reading, read
from gateway.store.messages import InboundMessage, InboundPart, ReceiptFates, Receipts
from protocol import constants as c
from protocol.coding import codecs_by_data_coding
from protocol.pdu import AlertNotification, DataSm, DeliverSm, Pdu
from protocol.receipt import is_receipt

logger = logging.getLogger(__name__)

SECOND: Final = 1_000_000
_MESSAGES: Final = (DeliverSm, DataSm)
_state: Final = attrgetter("state")


class ReturnsStore(ListeningStore, Protocol):
    """The part of the store asked here."""

    async def receive(self, receipts: Receipts) -> ReceiptFates:
        """Apply receipts."""
        ...

    async def inbound(self, parts: Sequence[InboundPart]) -> list[InboundMessage]:
        """Store replies."""
        ...

    async def remember(self, key: str, value: str) -> None:
        """Keep one small fact."""
        ...

    async def recall(self, key: str) -> str | None:
        """The fact kept under `key`."""
        ...


class _Origin:
    """What is known of one carrier here."""

    __slots__ = ("codecs", "form", "name", "packed", "settings")

    def __init__(self, settings: Carrier, learnt: str | None) -> None:
        self.settings = settings
        self.name = settings.name
        self.form = IdForm(settings.message_id, learnt)
        overrides = {value: name for name, value in settings.data_coding.items()}
        self.codecs = codecs_by_data_coding(settings.alphabet, overrides)
        self.packed = settings.packed


class Returns:
    """Turns lists of PDUs into store calls."""

    def __init__(
        self,
        store: ReturnsStore,
        metrics: Metrics,
        clock: Callable[[], int],
        answer: Callable[[Sequence[Wanted]], None] = lambda wanted: None,
    ) -> None:
        """`answer` has answers to keywords given; it neither waits nor fails."""
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._origins: dict[str, _Origin] = {}
        self._owners: Mapping[str, str] = {}
        self.listening = Listening(store, metrics, clock, answer)

    async def apply(
        self,
        carriers: Sequence[Carrier],
        accounts: Sequence[Account],
        policy: Policy = Policy(),  # noqa: B008  (frozen)
    ) -> None:
        """Take a configuration into use; what was learnt of unchanged carriers stays.

        So does a carrier that is gone: its links drain, and what it still tells is not told twice.
        """
        origins = dict(self._origins)
        for carrier in carriers:
            known = self._origins.get(carrier.name)
            if known is not None and known.settings == carrier:
                origins[carrier.name] = known
            else:
                learnt = await self._store.recall(_fact(carrier.name))
                origins[carrier.name] = _Origin(carrier, learnt)
        self._origins = origins
        self._owners = {
            number.lstrip("+"): account.name
            for account in accounts
            for number in account.inbound_numbers
        }
        self.listening.apply(policy, carriers, accounts)

    def learnt_forms(self) -> dict[str, str | None]:
        """The message-id form in force for each carrier; None while it is being learnt."""
        return {name: origin.form.form for name, origin in self._origins.items()}

    async def take(self, carrier: str, pdus: Sequence[Pdu]) -> list[int]:
        """Store what one read brought; the command_status for each, in order.

        Raises StoreUnavailable when nothing could be stored: the operator shall try again.
        """
        origin = self._origins[carrier]
        now = self._clock()
        statuses = [c.ESME_ROK] * len(pdus)
        receipts: list[Reading] = []
        unreadable = 0
        parts: list[InboundPart] = []
        for place, pdu in enumerate(pdus):
            if isinstance(pdu, _MESSAGES):
                if is_receipt(pdu.esm_class, pdu.tlvs):
                    receipt = read(getattr(pdu, "short_message", b""), pdu.tlvs)
                    if receipt is None:
                        # Refusing it would make the operator send it for ever; there is no id to
                        # park it under. It is counted and taken.
                        unreadable += 1
                    else:
                        receipts.append(receipt)
                else:
                    parts.append(self._part(origin, pdu, now))
            elif not isinstance(pdu, AlertNotification):
                statuses[place] = c.ESME_RINVCMDID
                self._metrics.count(RETURNS_REFUSED, 1, carrier, "ESME_RINVCMDID")
        if unreadable:
            self._metrics.count(RECEIPTS, unreadable, carrier, "unreadable", "ignored")
        if receipts:
            await self._receive(origin, receipts, now)
        if parts:
            whole = await self._store.inbound(parts)
            self._metrics.count(INBOUND, len(parts), carrier, "stored")
            self._metrics.count(INBOUND, len(whole), carrier, "complete")
            self.listening.heard(whole)
        return statuses

    def _part(self, origin: _Origin, pdu: DeliverSm | DataSm, now: int) -> InboundPart:
        region = origin.settings.region
        destination = pdu.destination_addr
        owner = self._owners.get(destination.lstrip("+"))
        # A short code is no national number, however much it looks like one.
        if owner is None and len(destination) > origin.settings.short_code_digits:
            destination = international(destination, pdu.dest_addr_ton, region)
            owner = self._owners.get(destination)
        return inbound_part(
            pdu, origin.name, origin.codecs, owner, now, origin.packed,
            source=international(pdu.source_addr, pdu.source_addr_ton, region),
            destination=destination,
        )  # fmt: skip

    async def _receive(self, origin: _Origin, receipts: list[Reading], now: int) -> None:
        name, form = origin.name, origin.form
        ids = [own for own, _ in receipts]
        news = [told for _, told in receipts]
        tried = form.columns(ids)
        fates = await self._store.receive(Receipts(name, now, tried.keys, news, tried.others))
        parked = Counter(news[position].state for position in fates.unmatched)
        matched = Counter(map(_state, news))
        matched.subtract(parked)
        for fate, counts in (("matched", matched), ("parked", parked)):
            for state, count in counts.items():
                if count:
                    self._metrics.count(RECEIPTS, count, name, state, fate)
        delays = [(now - at) / SECOND for at in fates.sent_at if at is not None]
        self._metrics.observe(RECEIPT_DELAY, delays, name)
        if form.learn(tried.matched(fates.unmatched, fates.matched), len(fates.unmatched)):
            logger.info("message id form", extra={"carrier": name, "form": form.form})
            await self._store.remember(_fact(name), form.form or "")


def _fact(carrier: str) -> str:
    return f"message_id_form/{carrier}"
