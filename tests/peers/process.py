"""One of the scripts beside this module, as a process: commands in, what it tells out.

In: a script and its argument. Out: the events it printed, in order, and a way to wait for one.
The script ends with its standard input, and that with us.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
INSTALLED = HERE / "node_modules" / "smpp"
Event = dict[str, Any]


class Script:
    """A running script; `async with`."""

    def __init__(
        self, name: str, argument: Any, take: Callable[[Event], Awaitable[None]] | None = None
    ) -> None:
        """`take` is told each event besides."""
        self._name = name
        self._take = take
        self._argument = json.dumps(argument)
        self._process: Process
        self._reading: asyncio.Task[None]
        self._news = asyncio.Condition()
        self.events: list[Event] = []

    async def __aenter__(self) -> Script:
        if not INSTALLED.is_dir():
            pytest.fail(f"{INSTALLED} is missing: `make test` installs it")
        self._process = await asyncio.create_subprocess_exec(
            "node", str(HERE / self._name), self._argument, stdin=PIPE, stdout=PIPE
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), 10)
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            event = json.loads(line)
            self.events.append(event)
            if self._take is not None:
                await self._take(event)
            async with self._news:
                self._news.notify_all()
        self.events.append({"event": "ended"})
        async with self._news:
            self._news.notify_all()

    def tell(self, **command: Any) -> None:
        """Give it a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    def found(self, since: int = 0, **fields: Any) -> list[Event]:
        """The events that have these fields, without the first `since` of all."""
        wanted = fields.items()
        return [event for event in self.events[since:] if wanted <= event.items()]

    async def some(self, count: int, since: int = 0, **fields: Any) -> list[Event]:
        """Wait until there are so many events with these fields; all of them."""
        await self.until(lambda: len(self.found(since, **fields)) >= count, fields)
        return self.found(since, **fields)

    async def one(self, since: int = 0, **fields: Any) -> Event:
        """Wait for an event with these fields; the first of them."""
        return (await self.some(1, since, **fields))[0]

    async def until(self, condition: Callable[[], bool], wanted: Any, timeout: float = 10) -> None:
        """Wait for something it tells; what was told instead stands in the failure."""
        try:
            async with asyncio.timeout(timeout), self._news:
                await self._news.wait_for(condition)
        except TimeoutError:
            told = "\n".join(map(str, self.events[-30:]))
            pytest.fail(f"{self._name} never told {wanted}; its last words:\n{told}")
