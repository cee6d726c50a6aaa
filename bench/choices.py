"""The libraries that were asked for, measured against what took their place.

Beyond the project's own environment it needs `pip install asyncio-redis 'redis[hiredis]'`, a
redis-server on --redis-port and a simulated operator on --smsc-port
(`aldis smsc --port 2775`). docs/choices.md quotes what it printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any


async def aiosmpplib_rate(port: int, count: int, limit: float) -> dict[str, Any]:
    """Submit `count` messages through one aiosmpplib bind; messages answered per second."""
    import aiosmpplib as lib

    answered = 0
    done = asyncio.Event()

    class Hook(lib.AbstractHook):  # type: ignore[misc]
        async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
            """Not needed."""

        async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
            nonlocal answered
            if isinstance(smpp_message, lib.SubmitSmResp):
                answered += 1
                if answered == count:
                    done.set()

        async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:
            """Counted by what is missing at the end."""

    esme = lib.ESME("127.0.0.1", port, "aldis", "secret", hook=Hook(), log_level="ERROR")
    task = asyncio.create_task(esme.start())
    await asyncio.sleep(1)
    started, cpu = time.perf_counter(), time.process_time()
    for number in range(count):
        await esme.broker.enqueue(
            lib.SubmitSm(
                short_message="Your order 12345 is ready",
                source=lib.PhoneNumber("ACME"),
                destination=lib.PhoneNumber(f"7916{number:07d}"),
                log_id=str(number),
            )
        )
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), limit)
    seconds, used = time.perf_counter() - started, time.process_time() - cpu
    await esme.stop()
    task.cancel()
    return _row("aiosmpplib submit_sm", answered, seconds, used, asked=count)


async def asyncio_redis_rate(port: int, count: int) -> dict[str, Any]:
    """Pipelined SETs through asyncio-redis."""
    import asyncio_redis

    connection = await asyncio_redis.Connection.create("127.0.0.1", port, auto_reconnect=False)
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(count // 100):
        await asyncio.gather(*(connection.set(f"k{n}", "v" * 100) for n in range(100)))
    row = _row("asyncio-redis SET x100", count, time.perf_counter() - started,
               time.process_time() - cpu)  # fmt: skip
    connection.close()
    return row


async def redis_py_rate(port: int, count: int) -> dict[str, Any]:
    """The same through redis-py's asyncio client with hiredis, as pipelines of 100."""
    import redis.asyncio

    client = redis.asyncio.Redis(port=port)
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(count // 100):
        pipeline = client.pipeline(transaction=False)
        for n in range(100):
            pipeline.set(f"k{n}", "v" * 100)
        await pipeline.execute()
    row = _row("redis-py SET x100", count, time.perf_counter() - started,
               time.process_time() - cpu)  # fmt: skip
    await client.aclose()
    return row


async def redis_script_rate(port: int, count: int) -> dict[str, Any]:
    """A list of 1,000 in one argument of one Lua call: the way a store would do it."""
    import redis.asyncio

    client = redis.asyncio.Redis(port=port)
    script = client.register_script(
        "for _, m in ipairs(cjson.decode(ARGV[1])) do redis.call('RPUSH', KEYS[1], m) end"
    )
    batch = json.dumps(["v" * 100] * 1000)
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(count // 1000):
        await script(keys=["list"], args=[batch])
    row = _row("redis-py one Lua call x1000", count, time.perf_counter() - started,
               time.process_time() - cpu)  # fmt: skip
    await client.delete("list")
    await client.aclose()
    return row


def _row(name: str, done: int, seconds: float, cpu: float, asked: int | None = None
         ) -> dict[str, Any]:  # fmt: skip
    return {
        "what": name,
        "asked": asked if asked is not None else done,
        "done": done,
        "per_second": round(done / seconds),
        "cpu_us_each": round(cpu / max(1, done) * 1e6, 1),
    }


async def main() -> None:
    """Run everything that can be imported; one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smsc-port", type=int, default=2775)
    parser.add_argument("--redis-port", type=int, default=6379)
    parser.add_argument("--messages", type=int, default=5_000)
    options = parser.parse_args()
    steps: tuple[Callable[[], Awaitable[dict[str, Any]]], ...] = (
        lambda: aiosmpplib_rate(options.smsc_port, options.messages, 30),
        lambda: asyncio_redis_rate(options.redis_port, 20_000),
        lambda: redis_py_rate(options.redis_port, 100_000),
        lambda: redis_script_rate(options.redis_port, 200_000),
    )
    for step in steps:
        try:
            print(json.dumps(await step()))
        except ImportError as error:
            print(json.dumps({"skipped": str(error)}))


if __name__ == "__main__":
    asyncio.run(main())
