"""`aldis demo`: a campaign of a thousand through a real gateway to two simulated operators.

In: `config/gateway.toml` and `config/demo/`. Out: a report and an exit code. The gateway is the
one `aldis serve` runs, in a process of its own, and everything reaches it as a customer's would:
over HTTP with a key. The operators and the customer's webhook endpoint live in this process and
speak SMPP and HTTP over loopback. Knows the gateway by its API and its log only.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import aiohttp
import click
import uvloop

import config
from gateway.commands.demo import explore, report
from gateway.commands.demo.campaign import Campaign, read
from gateway.commands.demo.client import Refusal
from gateway.commands.demo.operators import OPERATORS
from gateway.commands.demo.process import GatewayEnded
from gateway.commands.demo.report import Sent
from gateway.commands.demo.sending import send, until_events, until_final
from gateway.commands.demo.stage import Stage, set_up

FILES: Final = Path(config.__file__).parent
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells have it."""


def run(leave: bool, port: int) -> int:
    """Send the campaign and report; then serve until Ctrl-C, unless `leave`.

    port: of the HTTP API; 0 lets the system choose. Returns 0 when every accepted message reached
    a final status and every figure agrees, 1 when not, 130 when interrupted before the report.
    """
    return uvloop.run(_Demo(leave, port).run())


class _Demo:
    """One run. It has one end for all causes: down the stack, the gateway first."""

    def __init__(self, leave: bool, port: int) -> None:
        self._leave = leave
        self._port = port
        self._stage: Stage | None = None
        self._code = INTERRUPTED

    async def run(self) -> int:
        """Play; the first signal ends it in order, a second one kills the gateway."""
        playing = asyncio.create_task(self._play())

        def end() -> None:
            if not playing.cancelling():
                click.echo("\nEnding: the gateway finishes what is on the wire.")
                playing.cancel()
            elif self._stage is not None:
                self._stage.gateway.kill()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, end)
        try:
            await playing
        except asyncio.CancelledError:
            pass
        except (GatewayEnded, Refusal, aiohttp.ClientError, OSError, ValueError) as error:
            click.echo(f"The demonstration failed: {error}", err=True)
            for line in error.tail if isinstance(error, GatewayEnded) else ():
                click.echo(f"  {line}", err=True)
            self._code = 1
        return self._code

    async def _play(self) -> None:
        campaign = read(FILES / "demo")
        async with AsyncExitStack() as stack:
            stage = self._stage = await set_up(stack, FILES, self._port)
            for name, smsc in stage.operators.items():
                click.echo(f"operator {name}: SMPP on 127.0.0.1:{smsc.port}")
            click.echo(f"gateway: {stage.client.base}, files in {stage.directory}\n")
            try:
                sent = await self._campaign(stage, campaign)
            except aiohttp.ClientError:
                # "Connection refused" is no news when the gateway is gone: then say that.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stage.gateway.ended(), 1.0)
                raise
            if not self._leave:
                click.echo("\n".join(explore.lines(stage, sent)))
                await stage.gateway.ended()

    async def _campaign(self, stage: Stage, campaign: Campaign) -> list[Sent]:
        """Send, wait, fetch what became of everybody, report; sets the exit code."""
        sent = await send(stage.client, campaign)
        complete = await until_final(stage.client, sent)
        await until_events(stage.sink, sum(one.upload.counts.accepted for one in sent))
        for one in sent:
            one.messages = await stage.client.messages(one.id)
            one.ineligible = await stage.client.ineligible(one.id)
        received = report.received(stage.sink)
        rates = {name: behaviour.rate for name, behaviour in OPERATORS.items()}
        click.echo("\n".join(["", *report.lines(sent, received, rates), ""]))
        wrong = report.disagreements(sent, received) + stage.irregularities()
        for sentence in wrong:
            click.echo(f"WRONG: {sentence}", err=True)
        self._code = 0 if complete and not wrong else 1
        return sent
