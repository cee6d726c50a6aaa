"""Records as a kernel would write them, and streams cut into whole PDUs."""

from __future__ import annotations

import ipaddress
from struct import iter_unpack, unpack, unpack_from

import pytest

from gateway.capture.flow import Flow
from gateway.capture.pcap import FILE_HEADER, MOST_IN_SEGMENT, Ends
from protocol.pdu import EnquireLink, SubmitSm, encode

AT = 1_767_225_600_123_456


def sum_of_words(data: bytes) -> int:
    """RFC 1071 by the book: 0xFFFF for what has a good checksum in it."""
    total = sum(word for (word,) in iter_unpack("!H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Packet:
    """One record, taken apart by hand; the checksums are looked at."""

    def __init__(self, record: bytes) -> None:
        seconds, micros, kept, length = unpack("<IIII", record[:16])
        packet = record[16:]
        assert kept == length == len(packet) <= 65_535
        self.at = seconds * 1_000_000 + micros
        if packet[0] >> 4 == 4:
            assert sum_of_words(packet[:20]) == 0xFFFF
            assert unpack_from("!H", packet, 2)[0] == len(packet)
            self.source, self.target = packet[12:16], packet[16:20]
            pseudo = packet[12:20] + b"\0\6" + (len(packet) - 20).to_bytes(2, "big")
            tcp = packet[20:]
        else:
            assert unpack_from("!HB", packet, 4) == (len(packet) - 40, 6)
            self.source, self.target = packet[8:24], packet[24:40]
            pseudo = packet[8:40] + (len(packet) - 40).to_bytes(4, "big") + b"\0\0\0\6"
            tcp = packet[40:]
        assert sum_of_words(pseudo + tcp) == 0xFFFF
        ports = unpack_from("!HHII", tcp)
        self.source_port, self.target_port, self.sequence, self.ack = ports
        self.data = tcp[20:]


def packets(flow: Flow, *pieces: tuple[bool, int, bytes]) -> list[Packet]:
    return [
        Packet(record)
        for sent, position, data in pieces
        for record in flow.records(sent, position, data, AT)
    ]


def test_the_file_header() -> None:
    assert unpack("<IHHiIII", FILE_HEADER) == (0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101)


@pytest.mark.parametrize(
    ("ours", "theirs", "size"),
    [
        ("127.0.0.1", "10.1.2.3", 4),
        ("::1", "2001:db8::7", 16),
        ("fe80::1%eth0", "fe80::2%eth0", 16),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", 4),
        ("", "", 4),
    ],
)
def test_ends_and_checksums(ours: str, theirs: str, size: int) -> None:
    ends = Ends((ours, 40_000), (theirs, 2775))
    for length in (0, 1, 2, 37, 1000):
        for record in ends.segments(True, 1, 1, b"\xff" * length, AT):
            packet = Packet(record)
            assert packet.at == AT
            assert len(packet.source) == size
            assert (packet.source_port, packet.target_port) == (40_000, 2775)
    (record,) = ends.segments(False, 1, 1, b"x", AT)
    packet = Packet(record)
    assert (packet.source_port, packet.target_port) == (2775, 40_000)
    if theirs and "%" not in theirs and "ffff" not in theirs:
        assert packet.source == ipaddress.ip_address(theirs).packed


def test_what_is_longer_than_a_packet_becomes_several() -> None:
    data = bytes(range(256)) * 600
    sent = [Packet(r) for r in Ends(("::1", 1), ("::1", 2)).segments(True, 7, 9, data, AT)]
    assert b"".join(packet.data for packet in sent) == data
    assert [packet.sequence for packet in sent] == [
        7 + MOST_IN_SEGMENT * place for place in range(len(sent))
    ]
    assert {packet.ack for packet in sent} == {9}


def test_sequence_numbers_wrap() -> None:
    (record,) = Ends(("::1", 1), ("::1", 2)).segments(True, (1 << 32) + 5, (1 << 33) + 6, b"x", AT)
    packet = Packet(record)
    assert (packet.sequence, packet.ack) == (5, 6)


ONE = encode(EnquireLink(sequence_number=1))
TWO = encode(SubmitSm(sequence_number=2, short_message=b"Dear Ann"))


def flow(full: bool = True) -> Flow:
    return Flow(("127.0.0.1", 1), ("127.0.0.1", 2), full)


def test_nothing_comes_out_before_its_pdu_is_whole() -> None:
    octets = ONE + TWO
    for cut in range(1, len(octets)):
        found = packets(flow(), (False, 0, octets[:cut]), (False, cut, octets[cut:]))
        assert b"".join(packet.data for packet in found) == octets
        assert len(found) <= 2
        at = 1
        for packet in found:
            assert packet.sequence == at
            at += len(packet.data)


def test_each_side_acknowledges_what_the_other_has_said() -> None:
    found = packets(flow(), (True, 0, ONE), (False, 0, ONE + ONE), (True, 16, ONE))
    assert [(packet.sequence, packet.ack) for packet in found] == [(1, 1), (1, 17), (17, 33)]


def test_a_gap_shows_as_one_and_the_next_pdu_is_whole() -> None:
    # 20 octets dropped that ended within TWO; its beginning comes again with the next read
    found = packets(flow(), (False, 0, ONE + TWO[:5]), (False, 16 + 20, TWO))
    assert [packet.data for packet in found] == [ONE, TWO]
    assert [packet.sequence for packet in found] == [1, 1 + 36]


def test_what_is_no_smpp_is_zeroed_unless_all_may_be_seen() -> None:
    http = b"GET /447400123456 HTTP/1.1\r\n\r\n"
    shown = packets(flow(full=False), (False, 0, ONE + http), (False, 16 + len(http), http))
    assert b"".join(packet.data for packet in shown) == ONE + bytes(2 * len(http))
    shown = packets(flow(full=True), (False, 0, http))
    assert shown[0].data == http
