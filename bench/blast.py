"""A raw client that floods the simulated operator: what is the operator itself able to take?

In: duration, window, whether receipts are asked for. Out: messages per second and the operator's
CPU per message. The client answers deliver_sm and counts; it checks nothing and is no model of a
gateway. Run: `python -m bench.blast`.
"""

import asyncio
import time
from struct import Struct
from typing import Final, cast

import click
import msgspec
import uvloop

from bench.processes import Smsc, get_json
from protocol import constants as c
from protocol.pdu import BindTransceiver, SubmitSm, encode

_HEADER: Final = Struct(">IIII")


class Blaster(asyncio.Protocol):
    """Keeps `window` submits outstanding, in groups of a quarter of it."""

    def __init__(self, window: int, receipts: bool) -> None:
        self.answered = 0
        self.delivered = 0
        self.bound = asyncio.get_running_loop().create_future()
        self._group_size = max(1, window // 4)
        self._groups = 4
        self._uncounted = 0
        self._group = b"".join(
            encode(
                SubmitSm(
                    sequence_number=number,
                    source_addr_ton=5,
                    source_addr="ALDIS",
                    dest_addr_ton=1,
                    dest_addr_npi=1,
                    destination_addr=f"4670{number:07d}",
                    registered_delivery=int(receipts),
                    short_message=b"x" * 140,
                )
            )
            for number in range(1, self._group_size + 1)
        )
        self._tail = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        bind = BindTransceiver(sequence_number=1, system_id="blast", interface_version=0x34)
        self._transport.write(encode(bind))

    def data_received(self, data: bytes) -> None:
        if self._tail:
            data = self._tail + data
        size = len(data)
        pos = 0
        answers: list[bytes] = []
        answered = 0
        while size - pos >= 16:
            length, command_id, _, number = _HEADER.unpack_from(data, pos)
            if pos + length > size:
                break
            if command_id == c.SUBMIT_SM_RESP:
                answered += 1
            elif command_id == c.DELIVER_SM:
                answers.append(_HEADER.pack(17, c.DELIVER_SM_RESP, 0, number) + b"\0")
            elif command_id == c.BIND_TRANSCEIVER_RESP:
                self.bound.set_result(None)
            pos += length
        self._tail = data[pos:]
        self.answered += answered
        self.delivered += len(answers)
        self._uncounted += answered
        while self._uncounted >= self._group_size:
            self._uncounted -= self._group_size
            answers.append(self._group)
        if answers:
            self._transport.write(b"".join(answers))

    def start(self) -> None:
        """Fill the window."""
        self._transport.write(self._group * self._groups)


async def blast(seconds: float, window: int, connections: int, receipts: bool) -> dict[str, float]:
    """Flood a fresh operator in a process of its own; figures of the steady part."""
    loop = asyncio.get_running_loop()
    async with Smsc() as smsc:
        clients = [
            (
                await loop.create_connection(
                    lambda: Blaster(window, receipts), "127.0.0.1", smsc.port
                )
            )[1]
            for _ in range(connections)
        ]
        for client in clients:
            await client.bound
            client.start()
        await asyncio.sleep(min(1.0, seconds / 4))
        before = await get_json(smsc.stats_port, "/stats")
        answered = sum(client.answered for client in clients)
        started = time.perf_counter()
        await asyncio.sleep(seconds)
        elapsed = time.perf_counter() - started
        answered = sum(client.answered for client in clients) - answered
        after = await get_json(smsc.stats_port, "/stats")
    taken = after["accepted"] - before["accepted"]
    acknowledged = after["delivers_acknowledged"] - before["delivers_acknowledged"]
    return {
        "submits_per_second": round(answered / elapsed),
        "receipts_per_second": round(acknowledged / elapsed),
        "smsc_cpu_us_per_message": round((after["cpu"] - before["cpu"]) / taken * 1e6, 2),
    }


@click.command()
@click.option("--seconds", default=5.0, show_default=True)
@click.option("--window", default=1000, show_default=True, help="Unanswered submits.")
@click.option("--connections", default=1, show_default=True)
def command(seconds: float, window: int, connections: int) -> None:
    """Measure the simulated operator with and without receipts."""
    for receipts in (False, True):
        figures = uvloop.run(blast(seconds, window, connections, receipts))
        click.echo(msgspec.json.encode({"receipts": receipts, **figures}).decode())


if __name__ == "__main__":
    command(prog_name="python -m bench.blast")
