"""Returns: what operators send us -> receipts matched to messages, replies stored.

In: the `deliver_sm` and `data_sm` of one read of one link, as a list. Out: the `command_status` to
answer each with, after the commit that holds them. Knows the store's contract and the protocol,
no link and no customer.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from config.settings import Account, Carrier
from gateway.metrics import INBOUND, RECEIPT_DELAY, RECEIPTS, RETURNS_REFUSED, Metrics
from gateway.returns.id_form import IdForm
from gateway.returns.inbound import inbound_part
from gateway.returns.meaning import meaning
from gateway.store.contract import InboundMessage, InboundPart, ReceiptFate, ReceiptNews
from protocol import constants as c
from protocol.coding import codecs_by_data_coding
from protocol.pdu import AlertNotification, DataSm, DeliverSm, Pdu
from protocol.receipt import OUTCOMES, Receipt, is_receipt, parse

logger = logging.getLogger(__name__)

SECOND: Final = 1_000_000


class ReturnsStore(Protocol):
    """The part of the store asked here."""

    async def receive(self, receipts: Sequence[ReceiptNews]) -> list[ReceiptFate]:
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

    __slots__ = ("codecs", "form", "name", "settings")

    def __init__(self, settings: Carrier, learnt: str | None) -> None:
        self.settings = settings
        self.name = settings.name
        self.form = IdForm(settings.message_id, learnt)
        overrides = {value: name for name, value in settings.data_coding.items()}
        self.codecs = codecs_by_data_coding(settings.alphabet, overrides)


class Returns:
    """Turns lists of PDUs into store calls."""

    def __init__(self, store: ReturnsStore, metrics: Metrics, clock: Callable[[], int]) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._origins: dict[str, _Origin] = {}
        self._owners: Mapping[str, str] = {}

    async def apply(self, carriers: Sequence[Carrier], accounts: Sequence[Account]) -> None:
        """Take a configuration into use; what was learnt of unchanged carriers stays."""
        origins: dict[str, _Origin] = {}
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
        receipts: list[Receipt] = []
        parts: list[InboundPart] = []
        for place, pdu in enumerate(pdus):
            if isinstance(pdu, DeliverSm | DataSm):
                if is_receipt(pdu.esm_class, pdu.tlvs):
                    receipt = parse(getattr(pdu, "short_message", b""), pdu.tlvs)
                    if receipt is None or not receipt.ids or receipt.outcome is None:
                        # Refusing it would make the operator send it for ever; there is no id to
                        # park it under. It is counted and taken.
                        self._metrics.count(RECEIPTS, 1, carrier, "unreadable", "ignored")
                    else:
                        receipts.append(receipt)
                else:
                    owner = self._owners.get(pdu.destination_addr.lstrip("+"))
                    parts.append(inbound_part(pdu, carrier, origin.codecs, owner, now))
            elif not isinstance(pdu, AlertNotification):
                statuses[place] = c.ESME_RINVCMDID
                self._metrics.count(RETURNS_REFUSED, 1, carrier, "ESME_RINVCMDID")
        if receipts:
            await self._receive(origin, receipts, now)
        if parts:
            whole = await self._store.inbound(parts)
            self._metrics.count(INBOUND, len(parts), carrier, "stored")
            self._metrics.count(INBOUND, len(whole), carrier, "complete")
        return statuses

    async def _receive(self, origin: _Origin, receipts: list[Receipt], now: int) -> None:
        news: list[ReceiptNews] = []
        forms: list[tuple[tuple[str, str], ...]] = []
        states: list[str] = []
        for receipt in receipts:
            told = meaning(receipt)
            if told is None:
                continue
            status, reason = told
            keys = origin.form.keys(receipt.ids)
            outcome = receipt.outcome
            state = OUTCOMES[outcome][1][0] if outcome is not None else ""
            forms.append(keys)
            states.append(state)
            news.append(
                ReceiptNews(
                    carrier=origin.name,
                    keys=[key for _, key in keys],
                    status=int(status),
                    at=now,
                    reason=reason,
                    carrier_code=receipt.error_code,
                    state=state,
                )
            )
        fates = await self._store.receive(news)
        matched: list[str] = []
        delays: list[float] = []
        counts: Counter[tuple[str, str]] = Counter()
        for fate, keys, state in zip(fates, forms, states, strict=True):
            if fate.matched is None:
                counts[state, "parked"] += 1
                continue
            counts[state, "matched"] += 1
            matched.append(keys[fate.matched][0])
            if fate.sent_at is not None:
                delays.append((now - fate.sent_at) / SECOND)
        for (state, fate_name), count in counts.items():
            self._metrics.count(RECEIPTS, count, origin.name, state, fate_name)
        self._metrics.observe(RECEIPT_DELAY, delays, origin.name)
        if origin.form.learn(matched, len(fates) - len(matched)):
            form = origin.form.form
            logger.info("message id form", extra={"carrier": origin.name, "form": form})
            await self._store.remember(_fact(origin.name), form or "")


def _fact(carrier: str) -> str:
    return f"message_id_form/{carrier}"
