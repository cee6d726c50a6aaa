"""Customers made of three independent SMPP clients, driven alike.

In: where to bind, as whom, what to send. Out: the answers, the receipts and replies, and the name
of every PDU, each as the library read it. What a library cannot do is left to the test to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import re
import socket
import ssl
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import aiosmpplib
import pytest
import smpplib.client
import smpplib.exceptions
import smpplib.gsm
import smpplib.smpp
from aiosmpplib.protocol import DeliverSm as AioDeliverSm
from aiosmpplib.retrytimer import SimpleExponentialBackoff
from aiosmpplib.state import NPI, TON, BindMode, PhoneNumber, SmppCommand

from tests.peers.conftest import TLS
from tests.peers.process import Script

_RECEIPT = re.compile(r"id:(\S+) .*stat:(\S+) err:(\S+)", re.DOTALL)
UDHI = 0x40
_TURN = 0.02
"""Seconds smpplib's only thread waits for a PDU before it looks for something to send."""


@dataclass(slots=True)
class Delivery:
    """A deliver_sm as the library read it; `stat` is empty for a reply."""

    source: str
    destination: str
    text: str
    message_id: str = ""
    stat: str = ""
    err: str = ""
    receipted_message_id: str = ""
    message_state: int | None = None


@dataclass(slots=True)
class Answer:
    """A response to one of our requests."""

    command: str
    status: int
    sequence: int
    message_id: str = ""


class Customer(ABC):
    """One session. `enquire`: seconds between its own enquire_links."""

    splits: ClassVar[bool]
    """Whether it makes parts of a long text; otherwise it has message_payload."""
    joins: ClassVar[bool] = False
    """Whether it joins the parts of a long reply."""

    def __init__(
        self,
        port: int,
        system_id: str,
        password: str,
        *,
        tls: bool = False,
        enquire: float = 60.0,
    ) -> None:
        self.port = port
        self.system_id = system_id
        self.password = password
        self.tls = tls
        self.enquire = enquire
        self.heard: list[Answer] = []
        """Every PDU that came, in order; requests of the server's too."""
        self.deliveries: list[Delivery] = []
        self.closed = False
        self._news = asyncio.Condition()

    @abstractmethod
    async def bind(self, kind: str = "transceiver") -> int:
        """Connect and bind; the command_status."""

    @abstractmethod
    async def submit(
        self, to: str, text: str, *, source: str = "ACME", parts: int = 1
    ) -> list[Answer]:
        """Send a text in so many submit_sm; the answers to them in order."""

    @abstractmethod
    async def unbind(self) -> None:
        """Take leave and wait for the end of the connection."""

    @abstractmethod
    async def end(self) -> None:
        """Let go of whatever is left."""

    async def __aenter__(self) -> Customer:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.end()

    async def until(self, condition: Callable[[], bool], wanted: Any, timeout: float = 10) -> None:
        """Wait for something it hears."""
        try:
            async with asyncio.timeout(timeout), self._news:
                await self._news.wait_for(condition)
        except TimeoutError:
            pytest.fail(f"{wanted} never came; heard {self.heard}, {self.deliveries}")

    async def hears(self, command: str, count: int = 1) -> list[Answer]:
        """Wait for so many PDUs of a name."""

        def found() -> list[Answer]:
            return [one for one in self.heard if one.command == command]

        await self.until(lambda: len(found()) >= count, command)
        return found()

    async def receipt(self, message_id: str) -> Delivery:
        """Wait for the receipt of a message."""

        def found() -> list[Delivery]:
            return [one for one in self.deliveries if one.message_id == message_id]

        await self.until(lambda: bool(found()), f"a receipt of {message_id}")
        [receipt] = found()
        return receipt

    async def receipts_from(self, number: str, count: int = 1) -> list[Delivery]:
        """Wait for receipts of messages to a number."""

        def found() -> list[Delivery]:
            return [one for one in self.deliveries if one.source == number and one.stat]

        await self.until(lambda: len(found()) >= count, f"a receipt from {number}")
        return found()

    async def replies(self, source: str, count: int = 1) -> list[Delivery]:
        """Wait for replies from a number; several are parts in order."""

        def found() -> list[Delivery]:
            return [one for one in self.deliveries if one.source == source and not one.stat]

        await self.until(lambda: len(found()) >= count, f"a reply from {source}")
        return found()

    async def answers(self, sequences: list[int], command: str = "submit_sm_resp") -> list[Answer]:
        """Wait for the answers to these requests; an error may come as generic_nack."""

        def found() -> dict[int, Answer]:
            return {
                one.sequence: one for one in self.heard if one.command in (command, "generic_nack")
            }

        await self.until(lambda: {*sequences} <= found().keys(), f"{command} to {sequences}")
        return [found()[sequence] for sequence in sequences]

    async def _changed(self) -> None:
        async with self._news:
            self._news.notify_all()


def read_receipt(delivery: Delivery) -> Delivery:
    """Read the text as an application does whose library leaves that to it."""
    found = _RECEIPT.match(delivery.text)
    if found is not None:
        delivery.message_id, delivery.stat, delivery.err = found.groups()
    return delivery


# ---- npm's smpp


class Npm(Customer):
    """`customer.js`. It splits nothing itself; a long text goes as message_payload."""

    splits = False
    script: Script

    async def connect(self) -> None:
        """Connect, without a bind."""
        argument: dict[str, Any] = {"port": self.port, "enquire": int(self.enquire * 1000)}
        if self.tls:
            argument["ca"] = str(TLS / "ca.pem")
        self.script = Script("customer.js", argument, self._take)
        await self.script.__aenter__()
        self._sequence = 0
        await self.script.one(event="connected")

    async def bind(self, kind: str = "transceiver", version: int = 0x34) -> int:
        await self.connect()
        answer = await self.ask(
            f"bind_{kind}",
            system_id=self.system_id,
            password=self.password,
            interface_version=version,
        )
        return int(answer["command_status"])

    def send(self, command: str, **fields: Any) -> int:
        """Send any request; its sequence_number."""
        self._sequence += 1
        self.script.tell(send=command, fields={"sequence_number": self._sequence, **fields})
        return self._sequence

    async def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """Send any request; the response, as the library read it."""
        sequence = self.send(command, **fields)
        [answer] = await self.answers([sequence], f"{command}_resp")
        return await self.script.one(
            event="pdu", command=answer.command, sequence_number=answer.sequence
        )

    def message(self, to: str, text: str, source: str = "ACME") -> dict[str, Any]:
        """The fields of a submit_sm."""
        return {
            "source_addr_ton": 5,
            "source_addr": source,
            "dest_addr_ton": 1,
            "dest_addr_npi": 1,
            "destination_addr": to,
            "registered_delivery": 1,
            "short_message": text,
        }

    async def submit(
        self, to: str, text: str, *, source: str = "ACME", parts: int = 1
    ) -> list[Answer]:
        fields = self.message(to, text, source)
        if len(text) > 70:
            del fields["short_message"]
            fields["message_payload"] = {"message": text}
        return await self.answers([self.send("submit_sm", **fields) for _ in range(parts)])

    async def unbind(self) -> None:
        await self.ask("unbind")
        await self.until(lambda: self.closed, "the end of the connection")

    async def end(self) -> None:
        if hasattr(self, "script"):
            await self.script.__aexit__()

    async def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "pdu":
            if event["command"] == "deliver_sm":
                payload = event.get("message_payload") or event["short_message"]
                delivery = Delivery(
                    event["source_addr"],
                    event["destination_addr"],
                    payload["message"],
                    receipted_message_id=event.get("receipted_message_id", ""),
                    message_state=event.get("message_state"),
                )
                self.deliveries.append(
                    read_receipt(delivery) if event["esm_class"] & 0x04 else delivery
                )
            self.heard.append(
                Answer(
                    event["command"],
                    event["command_status"],
                    event["sequence_number"],
                    event.get("message_id", ""),
                )
            )
        elif event["event"] == "closed":
            self.closed = True
        await self._changed()


# ---- smpplib


class _Recording(smpplib.client.Client):
    """smpplib's client, which shows every PDU it reads."""

    read: Callable[[Any], None]

    def read_pdu(self) -> Any:
        pdu = super().read_pdu()
        self.read(pdu)
        return pdu


class Smpplib(Customer):
    """smpplib as its users have it: `listen` in a thread, which enquires after each idle
    `timeout`, and sends from another. Under TLS one thread does both, because ssl's sockets do not
    bear two writers (SSL: BAD_LENGTH)."""

    splits = True

    async def bind(self, kind: str = "transceiver") -> int:
        context: ssl.SSLContext | None = None
        if self.tls:
            context = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
            context.check_hostname = False  # it wraps its socket without a name
        self._loop = asyncio.get_running_loop()
        self.client = _Recording(
            "127.0.0.1",
            self.port,
            timeout=5,
            allow_unknown_opt_params=True,
            ssl_context=context,
        )
        self.client.logger.setLevel(logging.CRITICAL)
        self.client.read = self._read
        self.client.set_message_received_handler(lambda pdu: None)
        self.client.set_message_sent_handler(lambda pdu: None)
        self.client.set_query_resp_handler(lambda pdu: None)
        self.client.set_error_pdu_handler(lambda pdu: None)
        self._thread: threading.Thread | None = None
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

        def connect() -> int:
            self.client.connect()
            try:
                getattr(self.client, f"bind_{kind}")(
                    system_id=self.system_id, password=self.password
                )
            except smpplib.exceptions.PDUError as error:
                return int(error.args[1])
            return 0

        status = await asyncio.to_thread(connect)
        if status == 0:
            self.client._socket.settimeout(_TURN if self.tls else self.enquire)
            self._thread = threading.Thread(target=self._listen, daemon=True)
            self._thread.start()
        return status

    async def submit(
        self, to: str, text: str, *, source: str = "ACME", parts: int = 1
    ) -> list[Answer]:
        pieces, coding, esm_class = smpplib.gsm.make_parts(text)
        assert len(pieces) == parts
        sent = [
            await self._do(
                self.client.send_message,
                source_addr_ton=5,
                source_addr=source,
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=to,
                short_message=piece,
                data_coding=coding,
                esm_class=esm_class,
                registered_delivery=True,
            )
            for piece in pieces
        ]
        return await self.answers([pdu.sequence for pdu in sent])

    async def unbind(self) -> None:
        # Client.unbind() would take whatever comes next for the answer.
        await self._do(self.client.send_pdu, smpplib.smpp.make_pdu("unbind", client=self.client))
        await self.hears("unbind_resp")
        await self.until(lambda: self.closed, "the end of the connection")

    async def end(self) -> None:
        if not hasattr(self, "client"):
            return
        if self._thread is not None and self._thread.is_alive():
            with contextlib.suppress(OSError):  # we have closed it already
                self.client._socket.shutdown(socket.SHUT_RDWR)
            await asyncio.to_thread(self._thread.join, 10)
        self.client.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN
        self.client.disconnect()

    async def _do(self, act: Callable[..., Any], *arguments: Any, **fields: Any) -> Any:
        """Send something from the thread that may."""
        if not self.tls:
            return act(*arguments, **fields)
        done = self._loop.create_future()

        def order() -> None:
            result = act(*arguments, **fields)
            self._loop.call_soon_threadsafe(done.set_result, result)

        self._orders.put(order)
        return await asyncio.wait_for(done, 10)

    def _listen(self) -> None:
        try:
            if not self.tls:
                self.client.listen()
            while True:
                while not self._orders.empty():
                    self._orders.get()()
                with contextlib.suppress(TimeoutError):
                    self.client.read_once(auto_send_enquire_link=False)
        except (smpplib.exceptions.ConnectionError, OSError):
            self._loop.call_soon_threadsafe(self._note, None, None)

    def _read(self, pdu: Any) -> None:
        delivery: Delivery | None = None
        message_id = getattr(pdu, "message_id", None) or b""
        answer = Answer(pdu.command, pdu.status, pdu.sequence, message_id.decode())
        if pdu.command == "deliver_sm":
            text = pdu.short_message or pdu.message_payload or b""
            if pdu.esm_class & UDHI:
                text = text[text[0] + 1 :]
            delivery = Delivery(
                pdu.source_addr.decode(),
                pdu.destination_addr.decode(),
                text.decode("utf-16-be" if pdu.data_coding == 8 else "ascii"),
                receipted_message_id=(pdu.receipted_message_id or b"").decode(),
                message_state=pdu.message_state,
            )
            if pdu.esm_class & 0x04:
                read_receipt(delivery)
        self._loop.call_soon_threadsafe(self._note, answer, delivery)

    def _note(self, answer: Answer | None, delivery: Delivery | None) -> None:
        if answer is None:
            self.closed = True
        else:
            self.heard.append(answer)
        if delivery is not None:
            self.deliveries.append(delivery)
        self._telling = self._loop.create_task(self._changed())


# ---- aiosmpplib


class Aiosmpplib(Customer, aiosmpplib.AbstractHook):
    """aiosmpplib's ESME with this as its hook. It has no TLS."""

    splits = True
    joins = True

    async def bind(self, kind: str = "transceiver") -> int:
        self._sent: list[tuple[str, int]] = []
        self.esme = aiosmpplib.ESME(
            "127.0.0.1",
            self.port,
            self.system_id,
            self.password,
            bind_mode=BindMode[kind.upper()],
            enquire_link_interval=self.enquire,
            hook=self,
            log_handler=logging.NullHandler(),
            retry_timer=SimpleExponentialBackoff(min_delay=50, max_increases=1),
            socket_timeout=10.0,
        )
        self._running = asyncio.create_task(self.esme.start())
        return (await self.hears(f"bind_{kind}_resp"))[0].status

    async def submit(
        self, to: str, text: str, *, source: str = "ACME", parts: int = 1
    ) -> list[Answer]:
        before = len(self._sent)
        await self.esme.broker.enqueue(
            aiosmpplib.SubmitSm(
                short_message=text,
                source=PhoneNumber(source, TON.ALPHANUMERIC, NPI.UNKNOWN),
                destination=PhoneNumber(to, TON.INTERNATIONAL, NPI.ISDN),
                registered_delivery=1,
                # It splits where the header is announced, and only then.
                esm_class=UDHI if parts > 1 else 0,
                auto_message_payload=parts == 1,
            )
        )

        def sent() -> list[int]:
            return [sequence for number, sequence in self._sent[before:] if number == to]

        await self.until(lambda: len(sent()) >= parts, f"{parts} submits to {to} leaving")
        assert len(sent()) == parts
        return await self.answers(sent())

    async def unbind(self) -> None:
        await asyncio.wait_for(self.esme.stop(), 10)
        await asyncio.wait_for(self._running, 10)
        self.closed = True

    async def end(self) -> None:
        if hasattr(self, "_running") and not self._running.done():
            # Left to itself it gives each of its tasks half a second.
            for task in asyncio.all_tasks():
                if task.get_name() in ("Receiver", "Sender", "Connection keeper"):
                    task.cancel()
            self._running.cancel()
            await asyncio.wait([self._running], timeout=10)

    async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        if smpp_message.smpp_command == SmppCommand.SUBMIT_SM:
            self._sent.append((smpp_message.destination.number, smpp_message.sequence_num))
            await self._changed()

    async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        _, command_id, status, sequence = struct.unpack_from(">IIII", pdu)
        command = SmppCommand(command_id).name.lower()
        # The message is None for all parts but the last; the id stands in the octets.
        message_id = pdu[16:-1].decode() if command == "submit_sm_resp" else ""
        self.heard.append(Answer(command, status, sequence, message_id))
        if command == "deliver_sm" and status == 0:
            # For the parts of a text the hook is given one receipt or none; its parser tells all.
            header = aiosmpplib.SmppMessage.parse_header(pdu)
            one = AioDeliverSm.from_pdu(pdu, header, self.esme.default_encoding)
            smpp_message = one if one.is_receipt() else smpp_message
        if isinstance(smpp_message, AioDeliverSm):
            tlvs = {one.tag: one.value for one in smpp_message.optional_params or []}
            receipt = smpp_message.parse_receipt()
            self.deliveries.append(
                Delivery(
                    smpp_message.source.number,
                    smpp_message.destination.number,
                    smpp_message.short_message or smpp_message.message_payload,
                    message_id=str(receipt.get("id", "")),
                    stat=str(receipt.get("stat", "")),
                    err=str(receipt.get("err", "")),
                    receipted_message_id=str(tlvs.get(0x1E, "")),
                    message_state=tlvs.get(0x0427),
                )
            )
        await self._changed()

    async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:
        pytest.fail(f"aiosmpplib could not send: {error!r}")


CUSTOMERS: list[type[Customer]] = [Npm, Smpplib, Aiosmpplib]
