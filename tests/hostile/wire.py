"""Raw octets on a real socket: what every misbehaving peer is made of, whichever end it plays.

In: a stream. Out: PDUs as (command_id, command_status, sequence_number, body), and any octets one
cares to send. Nothing here goes through `protocol`: a peer that errs must not be corrected by it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final, NamedTuple, Self

HEADER: Final = struct.Struct(">IIII")

GENERIC_NACK: Final = 0x80000000
BIND_RECEIVER: Final = 0x01
BIND_TRANSMITTER: Final = 0x02
QUERY_SM: Final = 0x03
SUBMIT_SM: Final = 0x04
DELIVER_SM: Final = 0x05
UNBIND: Final = 0x06
REPLACE_SM: Final = 0x07
CANCEL_SM: Final = 0x08
BIND_TRANSCEIVER: Final = 0x09
OUTBIND: Final = 0x0B
ENQUIRE_LINK: Final = 0x15
SUBMIT_MULTI: Final = 0x21
ALERT_NOTIFICATION: Final = 0x102
DATA_SM: Final = 0x103
RESP: Final = 0x80000000

ROK: Final = 0x00
RINVMSGLEN: Final = 0x01
RINVCMDLEN: Final = 0x02
RINVCMDID: Final = 0x03
RINVBNDSTS: Final = 0x04
RALYBND: Final = 0x05
RSYSERR: Final = 0x08
RINVSRCADR: Final = 0x0A
RINVDSTADR: Final = 0x0B
RINVPASWD: Final = 0x0E
RMSGQFUL: Final = 0x14
RTHROTTLED: Final = 0x58
RINVTLVSTREAM: Final = 0xC0
RINVTLVLEN: Final = 0xC2


def pdu(command_id: int, status: int, number: int, body: bytes = b"", length: int = -1) -> bytes:
    """A PDU; `length` lies about its length."""
    honest = HEADER.size + len(body)
    return HEADER.pack(honest if length < 0 else length, command_id, status, number) + body


def short_message(
    text: bytes,
    source: bytes = b"46700000001",
    destination: bytes = b"2020",
    *,
    esm_class: int = 0,
    data_coding: int = 0,
    registered_delivery: int = 0,
    tlvs: bytes = b"",
) -> bytes:
    """The body of a submit_sm or deliver_sm."""
    return (
        b"\0\1\1" + source + b"\0\1\1" + destination + b"\0"
        + bytes((esm_class, 0, 0, 0, 0, registered_delivery, 0, data_coding, 0, len(text)))
        + text + tlvs
    )  # fmt: skip


def tlv(tag: int, value: bytes, length: int = -1) -> bytes:
    """A TLV; `length` lies about its length."""
    return struct.pack(">HH", tag, len(value) if length < 0 else length) + value


def receipt(message_id: bytes, stat: bytes = b"DELIVRD") -> bytes:
    """The body of a deliver_sm with a delivery receipt."""
    text = b"id:%b sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:%b err:000"
    return short_message(text % (message_id, stat), esm_class=4)


class Pdu(NamedTuple):
    command_id: int
    status: int
    number: int
    body: bytes

    @property
    def destination(self) -> str:
        """destination_addr of a submit_sm or deliver_sm."""
        behind_source = self.body[self.body.index(0) + 3 :]
        at = behind_source.index(0) + 3
        return behind_source[at : behind_source.index(0, at)].decode("ascii")


class Hangup(Exception):
    """The other side has closed, or reset, the connection."""


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, **options: object) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port, **options))  # type: ignore[arg-type]

    @property
    def socket(self) -> socket.socket:
        found = self.writer.get_extra_info("socket")
        assert found is not None
        return found  # type: ignore[no-any-return]

    async def read(self) -> Pdu:
        """The next PDU; Hangup when there will be none."""
        try:
            head = await self.reader.readexactly(HEADER.size)
            length, command_id, status, number = HEADER.unpack(head)
            return Pdu(command_id, status, number, await self.reader.readexactly(length - 16))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Hangup from error

    async def expect(self, command_id: int) -> Pdu:
        """The next PDU with this command_id; enquire_links on the way are answered."""
        while True:
            got = await self.read()
            if got.command_id == command_id:
                return got
            if got.command_id == ENQUIRE_LINK:
                self.send(pdu(ENQUIRE_LINK | RESP, 0, got.number))

    async def gone(self) -> bytes:
        """Everything until the other side closes the connection."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def flush(self) -> None:
        """Wait until the other side has taken what was sent; Hangup if it never will."""
        try:
            await self.writer.drain()
        except ConnectionError as error:
            raise Hangup from error

    async def trickle(self, octets: bytes) -> None:
        """Every octet a segment of its own, as far as the kernel plays along."""
        self.socket_option(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in octets:
            self.send(bytes((octet,)))
            await self.flush()
            await asyncio.sleep(0)

    def socket_option(self, level: int, name: int, value: int | bytes) -> None:
        self.writer.get_extra_info("socket").setsockopt(level, name, value)

    def half_close(self) -> None:
        """No more from us; we still read."""
        self.writer.write_eof()

    def reset(self) -> None:
        """RST, so that what is on its way is thrown away at both ends."""
        self.socket_option(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()
