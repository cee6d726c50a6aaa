"""`kill`: kill -9 at random moments under load, then an audit over every message.

Callers do what callers should: an unanswered POST is repeated with the same Idempotency-Key. At
the end, every message that was acknowledged must have one final status at the customer, and every
message the operator took twice must have been counted as a possible duplicate.
"""

import asyncio
import random
import time
from itertools import count as counter
from typing import Any, Final

from bench.load import messages
from bench.load.client import Caller
from bench.load.site import KEY, Site, SiteSettings
from protocol.segment import count_only

_RECIPIENTS: Final = 100
_RETRY: Final = 0.1
_DUPLICATES: Final = "aldis_possible_duplicates_total"


async def run(
    settings: SiteSettings,
    *,
    kills: int,
    connections: int,
    text: str,
    seed: int,
    between: tuple[float, float] = (0.5, 2.5),
) -> dict[str, Any]:
    """Kill the gateway `kills` times, `between` so many seconds after it was ready."""
    dice = random.Random(seed)
    acknowledged: set[str] = set()
    firsts = counter(step=_RECIPIENTS)
    over = False
    async with Site(settings) as site:
        await site.bound()

        async def post(caller: Caller) -> None:
            while not over:
                first = next(firsts)
                body = messages.batch(first, _RECIPIENTS, text)
                status = await _until_answered(caller, body, f"batch-{first}", losses)
                if status != 202:
                    raise RuntimeError(f"HTTP {status}")
                acknowledged.update(
                    messages.number(index) for index in range(first, first + _RECIPIENTS)
                )

        losses: list[float] = []
        opened = [Caller(site.http_port, KEY) for _ in range(connections)]
        posting = [asyncio.ensure_future(post(caller)) for caller in opened]
        serving: list[float] = []
        duplicates = 0.0
        for _ in range(kills):
            await asyncio.sleep(dice.uniform(*between))
            for task in posting:
                if task.done():
                    task.result()
            duplicates += await site.metric(_DUPLICATES)
            await site.kill_gateway()
            serving.append(await site.start_gateway())
        await asyncio.sleep(dice.uniform(*between))
        over = True
        await asyncio.gather(*posting)
        for caller in opened:
            caller.close()
        await site.all_ended(len(acknowledged), stall=40.0, limit=180.0)
        duplicates += await site.metric(_DUPLICATES)
        finals = await site.finals()
        submitted = await site.submitted()
        sink = await site.sink_stats()
        smsc = await site.smsc_stats()
        parts = count_only(text)[1]
        taken_twice = sum(-(-max(0, taken - parts) // parts) for taken, _ in submitted.values())
        ends: dict[str, int] = {}
        for number in acknowledged:
            end = finals.get(number, "none")
            ends[end] = ends.get(end, 0) + 1
        return {
            "kills": kills,
            "acknowledged": len(acknowledged),
            "lost": ends.get("none", 0),
            "not_acknowledged_but_ended": len(finals.keys() - acknowledged),
            "ends": ends,
            "contradicted": sink["contradicted"],
            "events_repeated": sink["repeated"],
            "submits": smsc["accepted"],
            "submitted_more_than_once": taken_twice,
            "possible_duplicates_counted": int(duplicates),
            "posts_without_answer": len(losses),
            "restart_to_serving_seconds_max": round(max(serving, default=0.0), 2),
            "passed": not ends.get("none")
            and not sink["contradicted"]
            and taken_twice <= duplicates,
        }


async def _until_answered(caller: Caller, body: bytes, key: str, losses: list[float]) -> int:
    """Post until there is an answer that is final for this request."""
    while True:
        try:
            status, _ = await caller.post("/v1/batches", body, key)
        except ConnectionError:
            losses.append(time.monotonic())
            await _reconnect(caller)
            continue
        if status not in (409, 429, 503):
            return status
        await asyncio.sleep(_RETRY)


async def _reconnect(caller: Caller) -> None:
    while True:
        try:
            await caller.connect()
            return
        except OSError:
            await asyncio.sleep(_RETRY)
