"""Everything one run needs, set up and taken down in order.

In: the configuration's directory and an HTTP port. Out: two operators, a webhook endpoint and a
gateway that serves, connected over loopback. The gateway comes last and goes first: its drain
still finds operators and endpoint.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.sink import Sink
from bench.smsc import SimulatedSmsc
from gateway.commands.demo.client import Client
from gateway.commands.demo.operators import OPERATORS
from gateway.commands.demo.process import Gateway
from gateway.commands.demo.setting import KEY, prepare
from gateway.events.sign import new_secret


class Stage(msgspec.Struct):
    """What is up."""

    directory: Path
    """This run's files; gone when it ends."""
    sink: Sink
    operators: dict[str, SimulatedSmsc]
    gateway: Gateway
    client: Client
    ops: str
    """Address of the gateway's other port."""

    def irregularities(self) -> list[str]:
        """What only this side can tell has gone wrong; sentences."""
        wrong = [f"the gateway logged an error: {message}" for message in self.gateway.errors]
        for name, smsc in self.operators.items():
            made, left = smsc.counters.connections, len(smsc.binds)
            if made != left:
                wrong.append(f"{name}: {made} connections were made, {left} of them stayed")
        return wrong


async def set_up(stack: AsyncExitStack, files: Path, http_port: int) -> Stage:
    """Enter all of it into `stack`; returns once an operator is bound.

    Raises `GatewayEnded`, with the last words of the gateway, when it does not get there.
    """
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="aldis-demo-")))
    secret = new_secret()
    sink = await stack.enter_async_context(Sink(secret=secret))
    operators = {
        name: await stack.enter_async_context(SimulatedSmsc(behaviour))
        for name, behaviour in OPERATORS.items()
    }
    path, environment = prepare(
        files / "gateway.toml",
        directory,
        carriers={name: smsc.port for name, smsc in operators.items()},
        webhook=sink.url,
        secret=secret,
        http_port=http_port,
    )
    gateway = await stack.enter_async_context(Gateway(path, environment, directory / "gateway.log"))
    client = Client(f"http://127.0.0.1:{gateway.http_port}", KEY)
    await stack.enter_async_context(client)
    ops = f"http://127.0.0.1:{gateway.ops_port}"
    await client.ready(ops)
    return Stage(directory, sink, operators, gateway, client, ops)
