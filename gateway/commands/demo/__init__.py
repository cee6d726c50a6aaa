"""`aldis demo`: a campaign of a thousand through a real gateway to two simulated operators.

In: `config/gateway.toml` and `config/demo/`. Out: a report and an exit code. The gateway is the
one `aldis serve` runs, in a process of its own, and everything reaches it as a customer's would:
over HTTP with a key. The operators and the customer's webhook endpoint live in this process and
speak SMPP and HTTP over loopback. Knows the gateway by its API and its log only.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import aiohttp
import click
import uvloop

import config
from bench.sink import Sink
from bench.smsc import SimulatedSmsc
from gateway.commands.demo import explore, report
from gateway.commands.demo.campaign import read
from gateway.commands.demo.client import Client, Refusal
from gateway.commands.demo.operators import OPERATORS
from gateway.commands.demo.process import Gateway, GatewayEnded
from gateway.commands.demo.sending import send, until_events, until_final
from gateway.commands.demo.setting import KEY, prepare
from gateway.events.sign import new_secret

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
    """One run. Its end is one way for all causes: out of the stack, the gateway first."""

    def __init__(self, leave: bool, port: int) -> None:
        self._leave = leave
        self._port = port
        self._gateway: Gateway | None = None
        self._code = INTERRUPTED

    async def run(self) -> int:
        """Play; the first signal ends it in order, the second kills the gateway."""
        playing = asyncio.create_task(self._play())

        def end() -> None:
            if not playing.cancelling():
                click.echo("\nEnding: the gateway finishes what is on the wire.")
                playing.cancel()
            elif self._gateway is not None:
                self._gateway.kill()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, end)
        try:
            await playing
        except asyncio.CancelledError:
            pass
        except (GatewayEnded, Refusal, aiohttp.ClientError, OSError, ValueError) as error:
            click.echo(f"The demonstration failed: {error}", err=True)
            if self._gateway is not None:
                for line in self._gateway.tail:
                    click.echo(f"  {line}", err=True)
            self._code = 1
        return self._code

    async def _play(self) -> None:
        campaign = read(FILES / "demo")
        async with AsyncExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="aldis-demo-")))
            secret = new_secret()
            sink = await stack.enter_async_context(Sink(secret=secret))
            carriers = {
                name: await stack.enter_async_context(SimulatedSmsc(behaviour))
                for name, behaviour in OPERATORS.items()
            }
            path, environment = prepare(
                FILES / "gateway.toml",
                directory,
                carriers={name: smsc.port for name, smsc in carriers.items()},
                webhook=sink.url,
                secret=secret,
                http_port=self._port,
            )
            self._gateway = Gateway(path, environment, directory / "gateway.log")
            gateway = await stack.enter_async_context(self._gateway)
            client = await stack.enter_async_context(
                Client(f"http://127.0.0.1:{gateway.http_port}", KEY)
            )
            ops = f"http://127.0.0.1:{gateway.ops_port}"
            await client.ready(ops)
            for name, smsc in carriers.items():
                click.echo(f"operator {name}: SMPP on 127.0.0.1:{smsc.port}")
            click.echo(f"gateway: {client.base}, store {directory / 'aldis.db'}\n")

            sent = await send(client, campaign)
            complete = await until_final(client, sent)
            await until_events(sink, sum(one.upload.counts.accepted for one in sent))
            for one in sent:
                one.messages = await client.messages(one.id)
                one.ineligible = await client.ineligible(one.id)
            received = report.received(sink)
            rates = {name: behaviour.rate for name, behaviour in OPERATORS.items()}
            click.echo("\n".join(["", *report.lines(sent, received, rates), ""]))
            wrong = report.disagreements(sent, received)
            wrong += [f"the gateway logged an error: {message}" for message in gateway.errors]
            wrong += [
                f"{name}: {smsc.counters.connections} connections, {len(smsc.binds)} of them stayed"
                for name, smsc in carriers.items()
                if smsc.counters.connections != len(smsc.binds)
            ]
            for sentence in wrong:
                click.echo(f"WRONG: {sentence}", err=True)
            self._code = 0 if complete and not wrong else 1
            if not self._leave:
                click.echo("\n".join(explore.lines(client.base, ops, directory, sent)))
                await gateway.ended()
