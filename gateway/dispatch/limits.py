"""What an account, or a campaign, may send in all, whichever carrier takes it.

In: messages a carrier is about to send, moments. Out: those that may leave, and results for the
others: put off to when there is room for them (once, on the whole), or ended. Rates are counted in
PDUs as they are leased; caps outlive a restart (`allowances`). An account without limits costs one
look for a whole list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from config.settings import Account
from gateway import metrics as m
from gateway.dispatch.allowances import Allowances, caps_of
from gateway.dispatch.campaigns import Campaigns
from gateway.dispatch.lanes import Routes, parse
from gateway.dispatch.limit import Limit
from gateway.dispatch.outgoing import Outgoing
from gateway.dispatch.throttle import Throttle
from gateway.dispatch.verdict import put_off, throttled_out
from gateway.metrics import Metrics
from gateway.policy.caps import Usage
from gateway.store.messages import Content, Settled

BURST: Final = 0.25
"""Seconds of an account's rate that may leave at once after a rest: carriers take turns of a
twentieth of a second, and several ask at different moments."""


class Limits:
    """The limits of all accounts, and who is held by them."""

    def __init__(
        self,
        accounts: Iterable[Account],
        allowances: Allowances,
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        """`now` is the loop's clock, which rates are measured by."""
        self._allowances = allowances
        self._metrics = metrics
        self._now = now
        self._accounts: dict[str, Limit] = {}
        self._made_of: dict[str, Account] = {}
        self.configure(accounts)

    def configure(self, accounts: Iterable[Account]) -> None:
        """Hold these accounts' limits from now on; what has been used stays used."""
        limits: dict[str, Limit] = {}
        made_of: dict[str, Account] = {}
        for account in accounts:
            if account.rate is None and not caps_of(account.caps):
                continue
            before = self._made_of.get(account.name)
            same = before and (before.rate, before.caps) == (account.rate, account.caps)
            limits[account.name] = self._accounts[account.name] if same else self._limit(account)
            made_of[account.name] = account
        for name in self._accounts.keys() - limits.keys():
            self._allowances.drop(f"account/{name}")
        self._accounts, self._made_of = limits, made_of

    def _limit(self, account: Account) -> Limit:
        caps, rate = caps_of(account.caps), account.rate
        return Limit(
            "account",
            self._allowances.meter(f"account/{account.name}", caps, account.caps.zone)
            if caps
            else None,
            caps,
            account.caps.zone,
            fails=account.caps.cap_reached == "fail",
            throttle=None if rate is None else Throttle(rate, rate * BURST, self._now()),
        )

    def admit(
        self,
        ready: list[Outgoing],
        contents: Mapping[int, Content],
        carrier: str,
        campaigns: Campaigns | None,
        routes: Routes,
        at: int,
    ) -> tuple[list[Outgoing], list[Settled]]:
        """Those that may leave over `carrier` now, noted as sent; what becomes of the others."""
        accounts = self._accounts
        if campaigns is None and (
            not accounts or accounts.keys().isdisjoint([one.message.account for one in ready])
        ):
            return ready, []
        now = self._now()
        if campaigns is None and self._fit_together(ready, at, now):
            return ready, []
        kept: list[Outgoing] = []
        results: list[Settled] = []
        touched: dict[Limit, int] = {}
        causes: dict[str, int] = {}
        for outgoing in ready:
            message, pdus = outgoing.message, len(outgoing.bodies)
            held = [accounts.get(message.account)]
            if campaigns is not None:
                held.append(campaigns.limit(contents[message.content], at))
            limits = [limit for limit in held if limit is not None]
            short = [limit for limit in limits if not limit.fits(pdus, at, now)]
            for limit in limits:
                touched[limit] = touched.get(limit, 0) + (pdus if short else 0)
            if not short:
                for limit in limits:
                    limit.take(pdus, at, now)
                kept.append(outgoing)
                continue
            result, cause = _outside(outgoing, short, carrier, routes, at, now)
            results.append(result)
            if cause:
                causes[cause] = causes.get(cause, 0) + 1
        for limit, pdus in touched.items():
            if limit.meter is not None:
                self._allowances.look(limit.meter, at, pdus)
        for cause, count in causes.items():
            self._metrics.count(m.PUT_OFF, count, carrier, cause)
        return kept, results

    def _fit_together(self, ready: Sequence[Outgoing], at: int, now: float) -> bool:
        """Take a list that has room as a whole, as nearly all have: one look for each account
        instead of three for each message."""
        pdus: dict[str, int] = {}
        for outgoing in ready:
            name = outgoing.message.account
            pdus[name] = pdus.get(name, 0) + len(outgoing.bodies)
        limited = [
            (limit, count)
            for name, count in pdus.items()
            if (limit := self._accounts.get(name)) is not None
        ]
        if not all(limit.holds(count, at, now) for limit, count in limited):
            return False
        for limit, count in limited:
            limit.take(count, at, now)
            if limit.meter is not None:
                self._allowances.look(limit.meter, at, 0)
        return True

    def refund(self, unsent: Sequence[Outgoing], campaigns: Campaigns | None, since: int) -> None:
        """Messages noted at `since` or later go back to their lanes."""
        for outgoing in unsent:
            message, pdus = outgoing.message, len(outgoing.bodies)
            limit = self._accounts.get(message.account)
            if limit is not None:
                limit.refund(pdus, since)
            if campaigns is not None and (its := campaigns.known(message.content)) is not None:
                its.refund(pdus, since)

    def usage(self, account: str, at: int) -> list[Usage]:
        """How an account's caps stand; empty if it has none."""
        limit = self._accounts.get(account)
        return [] if limit is None or limit.meter is None else limit.meter.usage(at)

    def tick(self, at: int) -> None:
        """Once a second: show how the accounts' caps stand."""
        for name in self._accounts:
            for usage in self.usage(name, at):
                self._metrics.set(m.ACCOUNT_CAP_LIMIT, usage.limit, name, usage.period)
                self._metrics.set(m.ACCOUNT_CAP_USED, usage.used, name, usage.period)


def _outside(
    outgoing: Outgoing, short: list[Limit], carrier: str, routes: Routes, at: int, now: float
) -> tuple[Settled, str]:
    """What becomes of a message that some limits have no room for, and its cause for the metric;
    empty while it only waits for a commit."""
    message, pdus = outgoing.message, len(outgoing.bodies)
    urgency = parse(message.lane).lane_class
    due, cause = at, ""
    for limit in short:
        why = limit.cause(pdus, at)
        moment = limit.when(pdus, at, now, urgency)
        if moment is None:
            elsewhere = routes if limit.kind == "campaign" else None
            return throttled_out(message, carrier, at, elsewhere), why
        due, cause = max(due, moment), cause or why
    return put_off(message, carrier, at, due), cause
