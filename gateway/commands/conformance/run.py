"""A run of the plan: each step once, each with an outcome, whatever the peer does.

In: what was asked for, and an event that ends the run early. Out: a `Report`. Everything is left
unbound and closed, however the run ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from gateway.commands.conformance.asked import Asked
from gateway.commands.conformance.budget import LimitReached
from gateway.commands.conformance.findings import Facts, Outcome, Result, Step
from gateway.commands.conformance.peer import NotBound, Peer, Unreachable
from gateway.commands.conformance.plan import PLAN
from gateway.commands.conformance.trace import Seen

ALL_PASSED: Final = 0
SOMETHING_FAILED: Final = 1
NOT_BOUND: Final = 3
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells have it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One step, its result, and the PDUs that went over the wire meanwhile."""

    step: Step
    result: Result
    pdus: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found."""

    asked: Asked
    rows: tuple[Row, ...]
    facts: Facts
    pdus: int
    """Requests sent."""
    not_kept: int
    """PDUs that were seen and not kept for the dumps."""
    left: int
    """Inbound messages left with the operator."""
    seconds: float
    interrupted: bool = False
    not_bound: str = ""
    """Why there was no bound session, where one was needed."""

    def count(self, outcome: Outcome) -> int:
        """How many steps ended so."""
        return sum(row.result.outcome is outcome for row in self.rows)

    @property
    def exit_code(self) -> int:
        """0 all passed, 1 something failed, 3 not bound, 130 interrupted."""
        if self.interrupted:
            return INTERRUPTED
        if self.not_bound:
            return NOT_BOUND
        return SOMETHING_FAILED if self.count(Outcome.FAILED) else ALL_PASSED


async def conduct(asked: Asked, stop: asyncio.Event | None = None) -> Report:
    """Run the plan against the peer; `stop` set ends it with what there is so far."""
    return await _Run(asked).conduct(stop or asyncio.Event())


class _Run:
    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._peer = Peer(asked)
        self._results: dict[str, Result] = {}
        self._spans: dict[str, tuple[int, int]] = {}
        self._not_bound = ""

    async def conduct(self, stop: asyncio.Event) -> Report:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        steps = loop.create_task(self._steps())
        stopping = loop.create_task(stop.wait())
        await asyncio.wait(
            {steps, stopping},
            timeout=self._asked.most_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        stopping.cancel()
        interrupted = stop.is_set() and not steps.done()
        if not steps.done():
            steps.cancel()
            limit = f"the limit of {self._asked.most_seconds:g} s is reached (--max-time)"
            self._skip_rest("interrupted" if interrupted else limit)
        await asyncio.gather(steps, stopping, return_exceptions=True)
        await self._peer.close()
        if steps.done() and not steps.cancelled():
            steps.result()  # a mistake of ours must not look like a finding
        peer = self._peer
        pdus = peer.trace.pdus
        return Report(
            asked=self._asked,
            rows=tuple(
                Row(step, self._results[step.name], tuple(pdus[slice(*self._spans[step.name])]))
                for step in PLAN
            ),
            facts=peer.facts,
            pdus=peer.budget.sent,
            not_kept=peer.trace.not_kept,
            left=peer.left,
            seconds=loop.time() - begun,
            interrupted=interrupted,
            not_bound=self._not_bound,
        )

    async def _steps(self) -> None:
        for step in PLAN:
            kept = self._peer.trace.pdus
            begun = len(kept)
            self._spans[step.name] = (begun, begun)
            why = self._unwanted(step)
            if why:
                result = Result(Outcome.SKIPPED, why)
            else:
                result = await self._one(step)
            self._results[step.name] = result
            self._spans[step.name] = (begun, len(kept))

    def _unwanted(self, step: Step) -> str:
        """Why a step is left out; empty if it is not."""
        asked = self._asked
        if asked.only and step.name not in asked.only:
            return "not in --only"
        if step.name in asked.skip:
            return "--skip"
        if step.submits and not asked.to:
            return "no --to: nothing is submitted"
        if step.optional == "throttle" and not asked.throttle:
            return "--no-throttle"
        if step.optional == "tlvs" and asked.interface == "3.3":
            return "SMPP 3.3 has no TLVs"
        # Nothing else can be learnt from who has let every bind pass unanswered.
        if self._peer.refusal and not self._peer.spoke_smpp:
            return self._peer.refusal
        return ""

    async def _one(self, step: Step) -> Result:
        try:
            result = await step.run(self._peer)
        except LimitReached as error:
            return Result(Outcome.SKIPPED, str(error))
        except Unreachable as error:
            return Result(Outcome.FAILED, f"no connection: {error}")
        except NotBound as error:
            first = not self._not_bound
            self._not_bound = self._not_bound or str(error)
            return Result(Outcome.FAILED if first else Outcome.SKIPPED, str(error))
        self._not_bound = self._not_bound or self._peer.refusal
        return result

    def _skip_rest(self, why: str) -> None:
        end = len(self._peer.trace.pdus)
        for step in PLAN:
            begun, _ = self._spans.setdefault(step.name, (end, end))
            if step.name not in self._results:
                self._results[step.name] = Result(Outcome.SKIPPED, why)
                self._spans[step.name] = (begun, end)
