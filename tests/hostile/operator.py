"""An operator of raw octets: a script for each connection, and what our links sent it.

Operator(script)        `await script(wire)` for every connection, a `Session`
session.accept()        take a bind
session.serve()         behave from here on: answer everything, keep the submits
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Self

from tests.hostile.wire import (
    BIND_RECEIVER,
    BIND_TRANSCEIVER,
    BIND_TRANSMITTER,
    ENQUIRE_LINK,
    RESP,
    SUBMIT_SM,
    UNBIND,
    Hangup,
    Pdu,
    Wire,
    pdu,
)

BINDS = (BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER)


class Session(Wire):
    """One connection of ours to the operator."""

    operator: Operator

    async def accept(self) -> Pdu:
        """Take the bind."""
        bind = await self.read()
        assert bind.command_id in BINDS
        self.send(pdu(bind.command_id | RESP, 0, bind.number, b"smsc\0"))
        return bind

    async def submits(self, count: int) -> list[Pdu]:
        """So many submit_sm, unanswered."""
        taken = [await self.expect(SUBMIT_SM) for _ in range(count)]
        self.operator.submits += taken
        return taken

    def answer(self, submit: Pdu, status: int = 0, extra: bytes = b"") -> None:
        """A submit_sm_resp as it should be."""
        body = b"" if status else b"id%d\0" % self.operator.next_id() + extra
        self.send(pdu(SUBMIT_SM | RESP, status, submit.number, body))

    async def serve(self) -> None:
        """Do everything right, until the link ends."""
        while True:
            got = await self.read()
            if got.command_id == SUBMIT_SM:
                self.operator.submits.append(got)
                self.answer(got)
            elif got.command_id == ENQUIRE_LINK or got.command_id == UNBIND:
                self.send(pdu(got.command_id | RESP, 0, got.number))


Script = Callable[[Session], Awaitable[object]]


async def well_behaved(session: Session) -> None:
    await session.accept()
    await session.serve()


class Operator:
    """Listens on loopback and runs the script for every connection.

    A script ends its connection by returning, or by Hangup when we close it; anything else it
    raises fails the test at the end.
    """

    def __init__(self, script: Script = well_behaved, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.connections = 0
        self.sessions: list[Session] = []
        self.submits: list[Pdu] = []
        self._tls = tls
        self._ids = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []
        self._changed = asyncio.Condition()

    def next_id(self) -> int:
        self._ids += 1
        return self._ids

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._met, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for error in self._errors:
            raise error

    async def connected(self, count: int, timeout: float = 20.0) -> None:
        """Wait for so many connections since the start."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: self.connections >= count)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The server forgets the task it started this in; its end is ours to see.
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        session = Session(reader, writer)
        session.operator = self
        self.sessions.append(session)
        self.connections += 1
        async with self._changed:
            self._changed.notify_all()
        try:
            await self.script(session)
        except (Hangup, ConnectionError):
            pass
        except asyncio.CancelledError:
            pass  # the test is over
        except BaseException as error:  # noqa: BLE001  (kept for the test)
            self._errors.append(error)
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(Exception):
                writer.close()
