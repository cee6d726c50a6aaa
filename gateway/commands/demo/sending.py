"""The campaign on its way: opt-outs, a batch for each language, and waiting for the last receipt.

In: a client and the campaign's files. Out: what was sent, and whether all of it ended in time.
Says on standard output how far it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import click

from bench.sink import Sink
from gateway.commands.demo.campaign import Campaign
from gateway.commands.demo.client import Client
from gateway.commands.demo.progress import Progress
from gateway.commands.demo.report import Sent
from gateway.errors import REASONS

PATIENCE: Final = 120.0
"""Seconds until messages without a final status count as missing; ten times what they need."""
POLL: Final = 0.2
"""Seconds between looks at the figures, a request for each language."""
EVENTS_PATIENCE: Final = 15.0
"""Seconds the last events may take after the last final status: one POST's timeout."""


async def send(client: Client, campaign: Campaign) -> list[Sent]:
    """Enter the opt-outs; make, fill and start the batches, each while earlier ones leave."""
    for number in campaign.opted_out:
        await client.opt_out(number)
    click.echo(f"{campaign.file}: {campaign.count:,} rows, {len(campaign.texts)} languages")
    sent: list[Sent] = []
    for text in campaign.texts:
        rows = campaign.rows[text.language]
        batch = await client.create(text.batch())
        upload = await client.upload(batch, rows.upload())
        started = datetime.now(UTC)
        await client.start(batch)
        counts = upload.counts
        # The answer lists recipients that cannot be served among its problems, too; those have a
        # code of the reasons' table and come again in the export.
        broken = [
            (rows.number_of(one.line), one.detail)
            for one in upload.problems
            if one.code not in REASONS
        ]
        click.echo(
            f"  {text.language}  {text.category:13}  {rows.count:4} rows: {counts.accepted:4} "
            f"accepted, {counts.ineligible:3} ineligible, {counts.malformed} unreadable"
        )
        sent.append(Sent(batch, text.language, rows.count, upload, started, broken))
    return sent


async def until_final(client: Client, sent: Sequence[Sent]) -> bool:
    """Wait for every accepted message's final status; False when some never came."""
    total = sum(one.upload.counts.accepted for one in sent)
    begin = monotonic()
    progress = Progress(total, begin)
    try:
        while True:
            stats = await asyncio.gather(*[client.stats(one.id) for one in sent])
            final = sum(one.final for one in stats)
            now = monotonic()
            progress.show(
                sum(one.waiting for one in stats), sum(one.sent for one in stats), final, now
            )
            if final >= total:
                return True
            if now - begin > PATIENCE:
                return False
            await asyncio.sleep(POLL)
    finally:
        progress.done()


async def until_events(sink: Sink, messages: int) -> None:
    """Wait until so many messages' ends were told by event, or `EVENTS_PATIENCE` is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(EVENTS_PATIENCE):
            while len(sink.finals) < messages:
                await sink.until(sink.events + 1, EVENTS_PATIENCE)
