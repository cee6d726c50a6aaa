"""Whatever a peer sends: events, an answer where one is due, no exception, bounded memory."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sessions import FEEDS, Feed, connection, octet_by_octet, sent

from protocol import constants as c
from protocol.connection import Connection
from protocol.events import (
    Alive,
    Answered,
    BindRefused,
    Bound,
    Closed,
    CloseReason,
    Event,
    Late,
    Lost,
    Malformed,
    Received,
    Refused,
    TimedOut,
    Unbound,
    Unexpected,
    Unsent,
)
from protocol.pdu import (
    PDUS,
    AlertNotification,
    BindTransceiver,
    EnquireLink,
    Outbind,
    QuerySm,
    SubmitSm,
    Unbind,
    body,
    encode,
)
from protocol.state import Role, State
from protocol.timers import Timers

VECTORS = Path(__file__).parents[1] / "vectors" / "pdus.jsonl"
NOW = 100.0
ALIVE = encode(EnquireLink(sequence_number=4711))


def probes() -> dict[str, dict[str, object]]:
    """The vectors that were tried on running peers, by name, but for two whose hex is abridged."""
    rows = [json.loads(line) for line in VECTORS.read_text().splitlines()]
    return {
        row["error"]: row
        for row in rows
        if "after_bind" in row
        and not row["error"].endswith("k_submit_payload")
        and row["error"] != "len_17000_submit_payload"
    }


PROBES = probes()

# What the specification asks for (the vectors' "spec", and where that is silent what most of the
# probed peers did): (command, status, sequence_number) of the answer, and whether the link lives.
NACK, ROK = c.GENERIC_NACK, c.ESME_ROK
BROKEN = ([(NACK, c.ESME_RINVCMDLEN, 0)], False)
SILENT: tuple[list[tuple[int, int, int]], bool] = ([], True)
ANSWERS: dict[str, tuple[list[tuple[int, int, int]], bool]] = {
    **{name: BROKEN for name in PROBES if name.startswith("len_")},
    "http_get": BROKEN,
    "unknown_req_0x110": ([(NACK, c.ESME_RINVCMDID, 0x0A342EE7)], True),
    "unknown_req_0x7f": ([(NACK, c.ESME_RINVCMDID, 1)], True),
    "unknown_req_0x0c_body": ([(NACK, c.ESME_RINVCMDID, 0x1234)], True),
    "unknown_req_0xffff": ([(NACK, c.ESME_RINVCMDID, 0xFFFF)], True),
    "unknown_req_0": ([(NACK, c.ESME_RINVCMDID, 1)], True),
    "unknown_resp_0x80000110": SILENT,
    "unknown_resp_0x80003302": SILENT,
    "enquire_with_body": ([(c.ENQUIRE_LINK_RESP, ROK, 0x12344567)], True),
    "unbind_trailing_byte": ([(c.UNBIND_RESP, ROK, 0)], False),
    "generic_nack_with_body": SILENT,
    "unsolicited_submit_resp": SILENT,
    "unsolicited_deliver_resp": SILENT,
    "unsolicited_enquire_resp": SILENT,
    "generic_nack_in": SILENT,
    "bind_again": ([(c.BIND_TRANSCEIVER_RESP, c.ESME_RALYBND, 7)], True),
    "deliver_to_smsc": ([(c.DELIVER_SM_RESP, c.ESME_RINVBNDSTS, 7)], True),
    "outbind_to_smsc": ([(NACK, c.ESME_RINVBNDSTS, 7)], True),
    "alert_to_smsc": ([(NACK, c.ESME_RINVBNDSTS, 7)], True),
    "submit_before_bind": ([(c.SUBMIT_SM_RESP, c.ESME_RINVBNDSTS, 7)], True),
    "enquire_before_bind": ([(c.ENQUIRE_LINK_RESP, ROK, 7)], True),
    "unbind_before_bind": ([(c.UNBIND_RESP, c.ESME_RINVBNDSTS, 7)], True),
    "submit_seq_0": SILENT,
    "submit_seq_80000000": SILENT,
    "submit_seq_ffffffff": SILENT,
    "two_in_one_segment": ([(c.ENQUIRE_LINK_RESP, ROK, 8)], True),
    "bind_wrong_password": SILENT,
    "submit_no_body": ([(c.SUBMIT_SM_RESP, c.ESME_RINVMSGLEN, 7)], True),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("feed", FEEDS)
def test_what_was_tried_on_other_peers_is_answered_by_the_specification(
    name: str, feed: Feed
) -> None:
    probe = PROBES[name]
    made = connection(Role.SMSC, State.BOUND_TRX if probe["after_bind"] else State.OPEN)
    feed(made, bytes.fromhex(str(probe["hex"])), NOW)
    answers, lives = ANSWERS[name]
    assert [(p.command_id, p.command_status, p.sequence_number) for p in sent(made)] == answers
    assert (made.state is not State.CLOSED) is lives


def test_two_octets_are_waited_on_until_session_init_ends_it() -> None:
    made = connection(Role.SMSC, State.OPEN, timers=Timers(session_init=10), now=NOW)
    assert made.receive_data(bytes.fromhex(str(PROBES["crlf"]["hex"])), NOW + 1) == []
    assert made.handle_timer(NOW + 10) == [Closed(CloseReason.SESSION_INIT)]


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_leaves_the_link_able_to_answer_or_closed(name: str) -> None:
    probe = PROBES[name]
    made = connection(Role.SMSC, State.BOUND_TRX if probe["after_bind"] else State.OPEN)
    events = made.receive_data(bytes.fromhex(str(probe["hex"])), NOW)
    sent(made)
    if made.state is State.CLOSED:
        assert isinstance(events[-1], Closed)
    elif name != "crlf":
        made.receive_data(ALIVE, NOW)
        (answer,) = sent(made)
        assert answer.sequence_number == 4711
        assert events or "enquire" in name


# ---- limits


@pytest.mark.parametrize("feed", FEEDS)
def test_the_longest_pdu_is_taken_and_one_octet_more_is_not(feed: Feed) -> None:
    for extra, taken in ((0, True), (1, False)):
        made = connection(Role.SMSC, max_pdu=300)
        pdu = SubmitSm(sequence_number=7, destination_addr="1", short_message=b"x" * 200)
        tlv = 300 - len(encode(pdu)) - 4 + extra
        pdu.tlvs = ((0x1400, b"y" * tlv),)
        events = feed(made, encode(pdu), NOW)
        assert len(encode(pdu)) == 300 + extra
        assert type(events[0]) is (Received if taken else Closed)


def test_what_is_kept_of_a_pdu_never_exceeds_the_limit() -> None:
    made = connection(Role.SMSC, max_pdu=4096)
    pdu = encode(SubmitSm(sequence_number=7, tlvs=((0x0424, bytes(4000)),)))
    for _ in range(50):
        made.receive_data(pdu[:-1], NOW)
        assert len(made._tail) <= 4096
        made.receive_data(pdu[-1:], NOW)
        assert len(made._tail) == 0


def test_a_read_of_tiny_requests_is_answered_with_no_more_than_it_holds() -> None:
    made = connection(Role.SMSC)
    data = encode(EnquireLink(sequence_number=1)) * 4096
    made.receive_data(data, NOW)
    assert len(made.data_to_send()) == len(data)


def test_a_long_pdu_arriving_in_octets_is_looked_at_three_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As it begins, when its length is there, and whole: looked at always, 64 KiB cost 2 GiB."""
    looks: list[int] = []
    keep_tail = Connection._keep_tail

    def counted(self: Connection, data: bytes, pos: int, events: list[Event]) -> None:
        looks.append(pos)
        keep_tail(self, data, pos, events)

    monkeypatch.setattr(Connection, "_keep_tail", counted)
    made = connection(Role.SMSC)
    looks.clear()
    pdu = encode(SubmitSm(sequence_number=7, tlvs=((0x0424, bytes(65000)),)))
    assert [type(event) for event in octet_by_octet(made, pdu, NOW)] == [Received]
    assert looks == [0, 0, len(pdu)]


# ---- anything at all

NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 0x7FFFFFFF, 0xFFFFFFFF])


@st.composite
def pdus(draw: st.DrawFn) -> bytes:
    """A PDU with an honest length (mostly) and a header and body of any kind."""
    command_id = draw(st.sampled_from([*PDUS, *PDUS, 0, 0x7F, 0x80000110]))
    octets = draw(
        st.one_of(
            st.binary(max_size=40),
            st.just(body(PDUS[command_id]()) if command_id in PDUS else b""),
        )
    )
    length = 16 + len(octets) + draw(st.sampled_from([0] * 30 + [-1, 1, 70000]))
    status = draw(st.sampled_from([0, 0, 0, 1, 0x58, 0xFFFFFFFF]))
    head = [length, command_id, status, draw(NUMBERS)]
    return b"".join(n.to_bytes(4, "big") for n in head) + octets


STREAMS = st.one_of(
    st.lists(pdus(), max_size=12).map(b"".join),
    st.binary(max_size=120),
    st.tuples(st.lists(pdus(), max_size=4).map(b"".join), st.binary(max_size=40)).map(b"".join),
)


def fresh(role: Role, state: State, timers: Timers) -> Connection:
    """A connection with requests outstanding in every state that allows them."""
    made = connection(role, state, timers=timers, now=NOW)
    if c.SUBMIT_SM in made._session.sendable:
        made.send_many([(body(SubmitSm()),)] * 3, c.SUBMIT_SM, ["a", "b", "c"], NOW)
        made.data_to_send()
        made.send(QuerySm(message_id="x"), NOW, "d")
    elif state is State.OPEN and role is Role.ESME:
        made.bind(BindTransceiver(), NOW)
    return made


def came_back(events: list[Event]) -> list[object]:
    """The contexts these events return, however they fared. A `Late` one has come back before."""
    back: list[object] = []
    for event in events:
        if isinstance(event, Answered | TimedOut):
            back.append(event.context)
        elif isinstance(event, Lost | Unsent):
            back += event.contexts
    return back


KNOWN = (
    Alive, Answered, BindRefused, Bound, Closed, Late, Lost, Malformed, Received, Refused, TimedOut,
    Unbound, Unexpected, Unsent,
)  # fmt: skip


@given(
    role=st.sampled_from(Role),
    state=st.sampled_from(
        [State.OPEN, State.OUTBOUND, State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX]
    ),
    stream=STREAMS,
    cuts=st.lists(st.integers(1, 60), max_size=12),
    wait=st.sampled_from([0.0, 5.0, 31.0]),
)
@settings(max_examples=300, deadline=None)
def test_any_octets_yield_events_each_request_one_fate_and_cuts_make_no_difference(
    role: Role, state: State, stream: bytes, cuts: list[int], wait: float
) -> None:
    timers = Timers(session_init=1000)
    at_once, in_pieces = fresh(role, state, timers), fresh(role, state, timers)
    contexts = ["a", "b", "c", "d"][: at_once.outstanding]
    later = NOW + wait
    events = at_once.handle_timer(later) + at_once.receive_data(stream, later)
    pieces = in_pieces.handle_timer(later)
    rest = stream
    for cut in [*cuts, len(stream) + 1]:
        pieces += in_pieces.receive_data(rest[:cut], later)
        rest = rest[cut:]
        assert len(in_pieces._tail) <= in_pieces.max_pdu
    assert repr(pieces) == repr(events)
    assert in_pieces.state is at_once.state
    assert all(isinstance(event, KNOWN) for event in events)
    assert all(not isinstance(event, Closed) for event in events[:-1])
    assert (at_once.state is State.CLOSED) == (bool(events) and isinstance(events[-1], Closed))

    answers = at_once.data_to_send()
    assert answers == in_pieces.data_to_send()
    assert len(answers) <= 2 * len(stream) + 200

    events += at_once.receive_eof(later)
    assert isinstance(events[-1], Closed)
    assert sorted(map(str, came_back(events))) == contexts


@given(streams=st.lists(STREAMS, max_size=5))
@settings(max_examples=100, deadline=None)
def test_two_of_us_never_answer_each_other_without_end(streams: list[bytes]) -> None:
    """Whatever starts it, an exchange of answers dies out: no response is ever answered."""
    left, right = connection(Role.ESME), connection(Role.SMSC)
    for stream in streams:
        right.receive_data(stream, NOW)
        for _ in range(3):
            left.receive_data(right.data_to_send(), NOW)
            right.receive_data(left.data_to_send(), NOW)
        assert left.data_to_send() == right.data_to_send() == b""


def test_sessions_of_ours_understand_each_other() -> None:
    esme, smsc = connection(Role.ESME, State.OPEN), connection(Role.SMSC, State.OPEN)

    def carry() -> tuple[list[Event], list[Event]]:
        at_smsc = smsc.receive_data(esme.data_to_send(), NOW)
        return esme.receive_data(smsc.data_to_send(), NOW), at_smsc

    smsc.send(Outbind(system_id="smsc"), NOW)
    carry()
    assert [esme.state, smsc.state] == [State.OUTBOUND, State.OUTBOUND]
    esme.bind(BindTransceiver(system_id="esme"), NOW)
    _, (bind,) = carry()
    assert isinstance(bind, Received)
    smsc.send(PDUS[c.BIND_TRANSCEIVER_RESP](sequence_number=bind.pdu.sequence_number), NOW)
    carry()
    assert [esme.state, smsc.state] == [State.BOUND_TRX, State.BOUND_TRX]
    smsc.send(AlertNotification(source_addr="1", esme_addr="2"), NOW)
    esme.send_many([(body(SubmitSm()),)] * 5, c.SUBMIT_SM, range(5), NOW)
    (alert,), submits = carry()
    assert isinstance(alert, Received)
    numbers = [event.pdu.sequence_number for event in submits if isinstance(event, Received)]
    smsc.respond_many(c.SUBMIT_SM_RESP, numbers[::-1], NOW, bodies=[b"id\0"] * 5)
    answered, _ = carry()
    assert [event.context for event in answered if isinstance(event, Answered)] == [4, 3, 2, 1, 0]
    esme.send(Unbind(), NOW)
    _, at_smsc = carry()
    assert at_smsc == [Unbound(by_peer=True), Closed(CloseReason.PEER_UNBOUND)]
    assert esme.receive_data(smsc.data_to_send(), NOW) == []
    assert [esme.state, smsc.state] == [State.CLOSED, State.CLOSED]
