"""What arrives and what comes of it: each scenario whole, octet by octet and with a tail."""

from dataclasses import dataclass, field

import pytest
from sessions import FEEDS, Feed, connection, octet_by_octet, sent, whole

from protocol import constants as c
from protocol.connection import Connection
from protocol.errors import LinkError, PduError
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
    Unbound,
    Unexpected,
    Unsent,
)
from protocol.pdu import (
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    body,
    decode,
    encode,
)
from protocol.state import Role, State
from protocol.timers import Timers

NOW = 100.0


def error_shape(error: PduError | LinkError | None) -> object:
    """Exceptions have no equality; this is what of them matters."""
    if isinstance(error, PduError):
        return (PduError, error.command_id, error.sequence_number, error.command_status)
    return type(error)


def shape(event: Event) -> object:
    """An event as a comparable value."""
    match event:
        case Malformed(error=error):
            return (Malformed, error_shape(error))
        case Closed(reason=reason, fault=fault):
            return (Closed, reason, error_shape(fault))
        case Answered() | Late() if event.error is not None:
            return (type(event), event.context, event.request_command_id, error_shape(event.error))
    return event


def ended(reason: str, fault: type | None = None) -> tuple[object, ...]:
    return (Closed, reason, fault or type(None))


def malformed(command_id: int, number: int, status: int) -> object:
    return (Malformed, (PduError, command_id, number, status))


def header(command_id: int, number: int, status: int = 0, more: bytes = b"") -> bytes:
    length = 16 + len(more)
    return b"".join(n.to_bytes(4, "big") for n in (length, command_id, status, number)) + more


SUBMIT = SubmitSm(sequence_number=7, destination_addr="46700900123", short_message=b"hi")
DELIVER = DeliverSm(sequence_number=7, source_addr="46700900123", short_message=b"hi")
BIND = BindTransceiver(sequence_number=7, system_id="esme")
ALERT = AlertNotification(sequence_number=7, source_addr="46700900123", esme_addr="1234")


@dataclass
class Scenario:
    """`says` arrives at a connection of this role in this state."""

    name: str
    role: Role
    state: State
    says: bytes
    events: list[object]
    answers: list[Pdu] = field(default_factory=list)
    after: State | None = None  # None: as before

    def __str__(self) -> str:
        return self.name


ESME, SMSC = Role.ESME, Role.SMSC
OPEN, TX, RX, TRX = State.OPEN, State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX
FRAMING = ended(CloseReason.FRAMING, LinkError)
NACK_LENGTH = GenericNack(command_status=c.ESME_RINVCMDLEN)

SCENARIOS = [
    Scenario("nothing", ESME, TRX, b"", []),
    Scenario(
        "enquire_link is answered here",
        ESME,
        TRX,
        encode(EnquireLink(sequence_number=7)),
        [],
        [EnquireLinkResp(sequence_number=7)],
    ),
    Scenario(
        "enquire_link before the bind",
        SMSC,
        OPEN,
        encode(EnquireLink(sequence_number=7)),
        [],
        [EnquireLinkResp(sequence_number=7)],
    ),
    Scenario(
        "enquire_link with octets it should not have",
        SMSC,
        TRX,
        header(c.ENQUIRE_LINK, 7, more=b"\xde\xad\xbe\xef"),
        [],
        [EnquireLinkResp(sequence_number=7)],
    ),
    Scenario("submit_sm", SMSC, TX, encode(SUBMIT), [Received(SUBMIT)]),
    Scenario(
        "three requests in one read",
        SMSC,
        TRX,
        encode(SUBMIT) + encode(EnquireLink(sequence_number=8)) + encode(SUBMIT),
        [Received(SUBMIT), Received(SUBMIT)],
        [EnquireLinkResp(sequence_number=8)],
    ),
    Scenario("deliver_sm", ESME, RX, encode(DELIVER), [Received(DELIVER)]),
    Scenario(
        "data_sm",
        ESME,
        TRX,
        encode(DataSm(sequence_number=7)),
        [Received(DataSm(sequence_number=7))],
    ),
    Scenario("alert_notification", ESME, RX, encode(ALERT), [Received(ALERT)]),
    Scenario("bind", SMSC, OPEN, encode(BIND), [Received(BIND)]),
    Scenario("bind after outbind", SMSC, State.OUTBOUND, encode(BIND), [Received(BIND)]),
    Scenario(
        "two binds at once",
        SMSC,
        OPEN,
        encode(BIND) + encode(BindReceiver(sequence_number=8)),
        [Received(BIND), Refused(c.BIND_RECEIVER, 8, c.ESME_RALYBND)],
        [BindReceiverResp(command_status=c.ESME_RALYBND, sequence_number=8)],
    ),
    Scenario(
        "outbind",
        ESME,
        OPEN,
        encode(Outbind(sequence_number=7, system_id="smsc")),
        [Received(Outbind(sequence_number=7, system_id="smsc"))],
        after=State.OUTBOUND,
    ),
    Scenario(
        "unbind",
        SMSC,
        TRX,
        encode(Unbind(sequence_number=7)),
        [Unbound(by_peer=True), ended(CloseReason.PEER_UNBOUND)],
        [UnbindResp(sequence_number=7)],
        after=State.CLOSED,
    ),
    Scenario(
        "what follows an unbind is not read",
        SMSC,
        TRX,
        encode(Unbind(sequence_number=7)) + encode(SUBMIT),
        [Unbound(by_peer=True), ended(CloseReason.PEER_UNBOUND)],
        [UnbindResp(sequence_number=7)],
        after=State.CLOSED,
    ),
    # ---- what the state forbids
    Scenario(
        "submit_sm before the bind",
        SMSC,
        OPEN,
        encode(SUBMIT),
        [Refused(c.SUBMIT_SM, 7, c.ESME_RINVBNDSTS)],
        [SubmitSmResp(command_status=c.ESME_RINVBNDSTS, sequence_number=7)],
    ),
    Scenario(
        "submit_sm from a receiver",
        SMSC,
        RX,
        encode(SUBMIT),
        [Refused(c.SUBMIT_SM, 7, c.ESME_RINVBNDSTS)],
        [SubmitSmResp(command_status=c.ESME_RINVBNDSTS, sequence_number=7)],
    ),
    Scenario(
        "deliver_sm to a transmitter",
        ESME,
        TX,
        encode(DELIVER),
        [Refused(c.DELIVER_SM, 7, c.ESME_RINVBNDSTS)],
        [DeliverSmResp(command_status=c.ESME_RINVBNDSTS, sequence_number=7)],
    ),
    Scenario(
        "deliver_sm to an SMSC",
        SMSC,
        TRX,
        encode(DELIVER),
        [Refused(c.DELIVER_SM, 7, c.ESME_RINVBNDSTS)],
        [DeliverSmResp(command_status=c.ESME_RINVBNDSTS, sequence_number=7)],
    ),
    Scenario(
        "unbind before the bind",
        SMSC,
        OPEN,
        encode(Unbind(sequence_number=7)),
        [Refused(c.UNBIND, 7, c.ESME_RINVBNDSTS)],
        [UnbindResp(command_status=c.ESME_RINVBNDSTS, sequence_number=7)],
    ),
    Scenario(
        "bind again",
        SMSC,
        TRX,
        encode(BIND),
        [Refused(c.BIND_TRANSCEIVER, 7, c.ESME_RALYBND)],
        [BindTransceiverResp(command_status=c.ESME_RALYBND, sequence_number=7)],
    ),
    Scenario(
        "alert_notification to an SMSC",
        SMSC,
        TRX,
        encode(ALERT),
        [Refused(c.ALERT_NOTIFICATION, 7, c.ESME_RINVBNDSTS)],
        [GenericNack(command_status=c.ESME_RINVBNDSTS, sequence_number=7)],
    ),
    Scenario(
        "outbind when bound",
        ESME,
        TRX,
        encode(Outbind(sequence_number=7)),
        [Refused(c.OUTBIND, 7, c.ESME_RINVBNDSTS)],
        [GenericNack(command_status=c.ESME_RINVBNDSTS, sequence_number=7)],
    ),
    # ---- what cannot be read
    Scenario(
        "unknown request",
        SMSC,
        TRX,
        header(0x7F, 7) + encode(EnquireLink(sequence_number=8)),
        [malformed(0x7F, 7, c.ESME_RINVCMDID)],
        [
            GenericNack(command_status=c.ESME_RINVCMDID, sequence_number=7),
            EnquireLinkResp(sequence_number=8),
        ],
    ),
    Scenario(
        "unknown request before the bind",
        SMSC,
        OPEN,
        header(0xFFFF, 0xFFFF),
        [malformed(0xFFFF, 0xFFFF, c.ESME_RINVCMDID)],
        [GenericNack(command_status=c.ESME_RINVCMDID, sequence_number=0xFFFF)],
    ),
    Scenario(
        "unknown response is never answered",
        ESME,
        TRX,
        header(0x80000110, 7),
        [malformed(0x80000110, 7, c.ESME_RINVCMDID)],
    ),
    Scenario(
        "submit_sm without a body",
        SMSC,
        TRX,
        header(c.SUBMIT_SM, 7) + encode(EnquireLink(sequence_number=8)),
        [malformed(c.SUBMIT_SM, 7, c.ESME_RINVMSGLEN)],
        [
            SubmitSmResp(command_status=c.ESME_RINVMSGLEN, sequence_number=7),
            EnquireLinkResp(sequence_number=8),
        ],
    ),
    Scenario(
        "deliver_sm without a body",
        ESME,
        TRX,
        header(c.DELIVER_SM, 7),
        [malformed(c.DELIVER_SM, 7, c.ESME_RINVMSGLEN)],
        [DeliverSmResp(command_status=c.ESME_RINVMSGLEN, sequence_number=7)],
    ),
    Scenario(
        "alert_notification without a body",
        ESME,
        TRX,
        header(c.ALERT_NOTIFICATION, 7),
        [malformed(c.ALERT_NOTIFICATION, 7, c.ESME_RINVMSGLEN)],
        [GenericNack(command_status=c.ESME_RINVMSGLEN, sequence_number=7)],
    ),
    Scenario(
        "command_length 15",
        SMSC,
        TRX,
        (15).to_bytes(4, "big") + bytes(20),
        [FRAMING],
        [NACK_LENGTH],
        after=State.CLOSED,
    ),
    Scenario(
        "command_length above the limit",
        SMSC,
        TRX,
        (65537).to_bytes(4, "big") + bytes(20),
        [FRAMING],
        [NACK_LENGTH],
        after=State.CLOSED,
    ),
    Scenario(
        "a whole PDU, then nonsense",
        SMSC,
        TRX,
        encode(SUBMIT) + b"\xff" * 40,
        [Received(SUBMIT), FRAMING],
        [NACK_LENGTH],
        after=State.CLOSED,
    ),
    Scenario(
        "an HTTP client",
        SMSC,
        OPEN,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        [FRAMING],
        [NACK_LENGTH],
        after=State.CLOSED,
    ),
    Scenario(
        "a TLS hello",
        SMSC,
        OPEN,
        bytes.fromhex("1603010200010001fc0303"),
        [FRAMING],
        [NACK_LENGTH],
        after=State.CLOSED,
    ),
    # ---- responses nobody waits for
    Scenario(
        "unsolicited submit_sm_resp",
        ESME,
        TRX,
        encode(SubmitSmResp(sequence_number=99, message_id="x")),
        [Unexpected(SubmitSmResp(sequence_number=99, message_id="x"))],
    ),
    Scenario(
        "generic_nack with sequence_number 0",
        ESME,
        TRX,
        encode(GenericNack(command_status=c.ESME_RINVCMDLEN)),
        [Unexpected(GenericNack(command_status=c.ESME_RINVCMDLEN))],
    ),
    Scenario(
        "generic_nack with an unknown sequence_number",
        SMSC,
        TRX,
        encode(GenericNack(command_status=c.ESME_RINVCMDID, sequence_number=99)),
        [Unexpected(GenericNack(command_status=c.ESME_RINVCMDID, sequence_number=99))],
    ),
    Scenario(
        "unsolicited response that cannot be read",
        ESME,
        TRX,
        header(c.QUERY_SM_RESP, 99),
        [malformed(c.QUERY_SM_RESP, 99, c.ESME_RINVMSGLEN)],
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
@pytest.mark.parametrize("feed", FEEDS)
def test_scenario(scenario: Scenario, feed: Feed) -> None:
    made = connection(scenario.role, scenario.state)
    events = feed(made, scenario.says, NOW)
    assert [shape(event) for event in events] == scenario.events
    assert sent(made) == scenario.answers
    assert made.state is (scenario.after or scenario.state)


# ---- our requests and their answers


def submitted(made: Connection, *contexts: object, now: float = NOW) -> None:
    made.send_many([(body(SUBMIT),)] * len(contexts), c.SUBMIT_SM, contexts, now)
    made.data_to_send()


@pytest.mark.parametrize("feed", FEEDS)
def test_responses_in_any_order_find_their_requests(feed: Feed) -> None:
    made = connection()
    submitted(made, "a", "b", "c")  # sequence_numbers 2, 3, 4: the bind was 1
    responses = [
        SubmitSmResp(sequence_number=4, message_id="id-c"),
        SubmitSmResp(sequence_number=2, command_status=c.ESME_RTHROTTLED),
        SubmitSmResp(sequence_number=3, message_id="id-b"),
    ]
    events = feed(made, b"".join(map(encode, responses)), NOW + 1)
    assert events == [
        Answered("c", c.SUBMIT_SM, responses[0], NOW),
        Answered("a", c.SUBMIT_SM, responses[1], NOW),
        Answered("b", c.SUBMIT_SM, responses[2], NOW),
    ]
    assert made.outstanding == 0
    assert made.window_free == 10


# What the hot path reads itself must be what the codec reads; the last four it must leave alone.
RESPONSE_BODIES = [
    b"\0",
    b"0123456789abcdef\0",
    b"\xe9\xff\0",
    b"x" * 80 + b"\0",
    b"",
    b"no terminator",
    b"id\0\x04\x28\x00\x01\x50",
    b"\0\0",
]


def decoded(data: bytes) -> tuple[Pdu | None, PduError | None]:
    try:
        return decode(data), None
    except PduError as error:
        return error.pdu, error


@pytest.mark.parametrize("octets", RESPONSE_BODIES)
@pytest.mark.parametrize("status", [0, c.ESME_RMSGQFUL])
@pytest.mark.parametrize(
    ("role", "request_id", "response_class"),
    [
        (ESME, c.SUBMIT_SM, SubmitSmResp),
        (ESME, c.DATA_SM, DataSmResp),
        (SMSC, c.DELIVER_SM, DeliverSmResp),
        (ESME, c.REPLACE_SM, ReplaceSmResp),
    ],
)
def test_a_response_is_read_as_the_codec_reads_it(
    octets: bytes, status: int, role: Role, request_id: int, response_class: type[Pdu]
) -> None:
    made = connection(role)
    made.send_many([(b"",)], request_id, ["a"], NOW)
    (number,) = made._window.outstanding
    data = header(request_id | c.RESPONSE_BIT, number, status, octets)
    expected, error = decoded(data)
    (event,) = made.receive_data(data + encode(EnquireLink(sequence_number=9)), NOW)
    assert isinstance(event, Answered)
    assert event.response == expected
    assert type(event.response) is response_class
    assert error_shape(event.error) == error_shape(error)
    assert made.outstanding == 0


@pytest.mark.parametrize("feed", FEEDS)
def test_a_response_that_cannot_be_read_still_settles_its_request(feed: Feed) -> None:
    made = connection()
    number = made.send(QuerySm(message_id="id"), NOW, "q")
    (event,) = feed(made, header(c.QUERY_SM_RESP, number), NOW)
    assert isinstance(event, Answered)
    assert event.context == "q"
    assert event.response.command_status == c.ESME_ROK
    assert event.error is not None
    assert event.error.command_status == c.ESME_RINVMSGLEN
    assert made.outstanding == 0


@pytest.mark.parametrize("feed", FEEDS)
def test_a_generic_nack_answers_the_request_it_names(feed: Feed) -> None:
    made = connection()
    submitted(made, "a", "b")
    nack = GenericNack(command_status=c.ESME_RINVCMDID, sequence_number=3)
    assert feed(made, encode(nack), NOW) == [Answered("b", c.SUBMIT_SM, nack, NOW)]
    assert made.outstanding == 1


def test_a_response_to_another_command_leaves_the_request_waiting() -> None:
    made = connection()
    submitted(made, "a")
    wrong = DataSmResp(sequence_number=2, message_id="x")
    assert made.receive_data(encode(wrong), NOW) == [Unexpected(wrong)]
    right = SubmitSmResp(sequence_number=2, message_id="x")
    assert made.receive_data(encode(right), NOW) == [Answered("a", c.SUBMIT_SM, right, NOW)]


def test_a_second_response_to_one_request_is_unexpected() -> None:
    made = connection()
    submitted(made, "a")
    response = SubmitSmResp(sequence_number=2, message_id="x")
    events = made.receive_data(encode(response) * 2, NOW)
    assert events == [Answered("a", c.SUBMIT_SM, response, NOW), Unexpected(response)]


def test_a_late_response_is_known_for_what_it_is() -> None:
    made = connection(timers=Timers(response=30.0, enquire_link=0, session_init=0))
    submitted(made, "a", "b")
    assert len(made.handle_timer(NOW + 30.0)) == 2
    assert made.window_free == 10
    response = SubmitSmResp(sequence_number=2, message_id="x")
    nack = GenericNack(command_status=c.ESME_RSYSERR, sequence_number=3)
    events = made.receive_data(encode(response) + encode(nack) + encode(response), NOW + 40)
    assert events == [
        Late("a", c.SUBMIT_SM, response, NOW),
        Late("b", c.SUBMIT_SM, nack, NOW),
        Unexpected(response),
    ]


@pytest.mark.parametrize("feed", FEEDS)
def test_a_smsc_may_wait_for_answers_too(feed: Feed) -> None:
    made = connection(Role.SMSC, State.BOUND_RX)
    made.send_many([(body(DELIVER),)], c.DELIVER_SM, ["receipt"], NOW)
    (pdu,) = sent(made)
    response = DeliverSmResp(sequence_number=pdu.sequence_number)
    assert feed(made, encode(response), NOW) == [Answered("receipt", c.DELIVER_SM, response, NOW)]


# ---- binding and unbinding


@pytest.mark.parametrize("feed", FEEDS)
def test_the_smsc_accepts_our_bind(feed: Feed) -> None:
    made = connection(state=State.OPEN)
    number = made.bind(BindTransceiver(system_id="esme"), NOW)
    assert [pdu.command_id for pdu in sent(made)] == [c.BIND_TRANSCEIVER]
    response = BindTransceiverResp(
        sequence_number=number, system_id="smsc", tlvs=((0x0210, b"\x33"),)
    )
    assert feed(made, encode(response), NOW) == [Bound(State.BOUND_TRX, response)]
    assert made.state is made.bound_as is State.BOUND_TRX
    assert made.interface_version == 0x33


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize(
    "answer",
    [
        BindTransceiverResp(command_status=c.ESME_RINVPASWD),
        GenericNack(command_status=c.ESME_RINVCMDID),
        GenericNack(),
    ],
)
def test_the_smsc_refuses_our_bind_and_we_may_try_again(feed: Feed, answer: Pdu) -> None:
    made = connection(state=State.OPEN)
    answer.sequence_number = made.bind(BindTransceiver(), NOW)
    assert feed(made, encode(answer), NOW) == [BindRefused(answer.command_status, answer)]
    assert made.state is State.OPEN
    assert made.bind(BindTransceiver(), NOW) == answer.sequence_number + 1


def test_an_accepted_bind_with_a_broken_body_is_accepted() -> None:
    made = connection(state=State.OPEN)
    number = made.bind(BindTransceiver(), NOW)
    events = made.receive_data(header(c.BIND_TRANSCEIVER_RESP, number, 0, b"smsc\0\2\x10"), NOW)
    assert [type(event) for event in events] == [Malformed, Bound]
    assert made.state is State.BOUND_TRX


@pytest.mark.parametrize("feed", FEEDS)
def test_a_bind_response_of_the_wrong_kind_is_not_ours(feed: Feed) -> None:
    made = connection(state=State.OPEN)
    number = made.bind(BindReceiver(), NOW)
    wrong = BindTransceiverResp(sequence_number=number)
    assert feed(made, encode(wrong), NOW) == [Unexpected(wrong)]
    assert made.state is State.OPEN


def test_we_are_a_smsc_and_settle_the_bind_by_its_status() -> None:
    made = connection(Role.SMSC, State.OPEN)
    made.receive_data(encode(BIND), NOW)
    made.send(BindTransceiverResp(sequence_number=7, command_status=c.ESME_RINVPASWD), NOW)
    assert made.bound_as is None
    made.receive_data(encode(BindTransceiver(sequence_number=8, interface_version=0x33)), NOW)
    made.send(BindTransceiverResp(sequence_number=8, system_id="smsc"), NOW)
    assert made.state is State.BOUND_TRX
    assert made.interface_version == 0x33
    assert [pdu.command_status for pdu in sent(made)] == [c.ESME_RINVPASWD, c.ESME_ROK]


@pytest.mark.parametrize("feed", FEEDS)
def test_our_unbind_ends_in_unbound_and_closed(feed: Feed) -> None:
    made = connection()
    submitted(made, "a")
    number = made.unbind(NOW)
    response = SubmitSmResp(sequence_number=2, message_id="x")
    data = encode(response) + encode(DELIVER) + encode(UnbindResp(sequence_number=number))
    events = feed(made, data, NOW)
    assert [shape(event) for event in events] == [
        Answered("a", c.SUBMIT_SM, response, NOW),
        Received(DELIVER),
        Unbound(by_peer=False),
        ended(CloseReason.UNBOUND),
    ]
    assert made.state is State.CLOSED


def test_what_our_unbind_leaves_unanswered_is_lost() -> None:
    made = connection()
    submitted(made, "a", "b")
    number = made.unbind(NOW)
    events = made.receive_data(encode(UnbindResp(sequence_number=number)), NOW)
    assert events[:2] == [Unbound(by_peer=False), Lost(["a", "b"])]


@pytest.mark.parametrize("feed", FEEDS)
def test_two_unbinds_that_cross(feed: Feed) -> None:
    made = connection()
    made.unbind(NOW)
    made.data_to_send()
    events = feed(made, encode(Unbind(sequence_number=50)), NOW)
    assert [shape(event) for event in events] == [
        Unbound(by_peer=True),
        ended(CloseReason.PEER_UNBOUND),
    ]
    assert sent(made) == [UnbindResp(sequence_number=50)]


@pytest.mark.parametrize("feed", [whole, octet_by_octet])
def test_a_peer_that_leaves_hears_every_answer_first(feed: Feed) -> None:
    made = connection(Role.SMSC, State.BOUND_TX)
    twice = encode(SUBMIT) + encode(SubmitSm(sequence_number=8, destination_addr="1"))
    events = feed(made, twice + encode(Unbind(sequence_number=9)), NOW)
    assert events[2:] == [Unbound(by_peer=True)]
    assert made.owed == 2
    assert made.data_to_send() == b""
    made.respond_many(c.SUBMIT_SM_RESP, [7], NOW + 1, bodies=[b"id-7\0"])
    assert made.owed == 1
    made.send(SubmitSmResp(sequence_number=8, message_id="id-8"), NOW + 2)
    assert sent(made) == [
        SubmitSmResp(sequence_number=7, message_id="id-7"),
        SubmitSmResp(sequence_number=8, message_id="id-8"),
        UnbindResp(sequence_number=9),
    ]
    assert made.next_timer() == NOW + 2
    assert list(map(shape, made.handle_timer(NOW + 2))) == [ended(CloseReason.PEER_UNBOUND)]


def test_a_peer_that_leaves_and_does_not_wait_for_our_answers_has_left() -> None:
    made = connection(Role.SMSC, State.BOUND_TX)
    made.receive_data(encode(SUBMIT) + encode(Unbind(sequence_number=9)), NOW)
    assert made.state is State.UNBINDING
    assert list(map(shape, made.receive_eof(NOW))) == [ended(CloseReason.PEER_UNBOUND)]


# ---- the end of the link


def test_hanging_up_tells_the_lost_from_the_unsent() -> None:
    made = connection()
    submitted(made, "a")
    made.send_many([(body(SUBMIT),)] * 2, c.SUBMIT_SM, ["b", "c"], NOW)
    made.send(QuerySm(message_id="x"), NOW, "d")
    events = made.receive_eof(NOW)
    assert list(map(shape, events)) == [
        Unsent(["b", "c", "d"]),
        Lost(["a"]),
        ended(CloseReason.EOF),
    ]
    assert made.data_to_send() == b""


def test_closing_writes_what_is_queued_and_aborting_does_not() -> None:
    for end, written in ((Connection.close, True), (Connection.abort, False)):
        made = connection()
        made.send(QuerySm(message_id="x"), NOW, "q")
        events = end(made, NOW, "reload")
        fate = Lost(["q"]) if written else Unsent(["q"])
        assert list(map(shape, events)) == [fate, ended("reload")]
        assert bool(made.data_to_send()) is written


def test_hanging_up_on_an_unbind_answers_it() -> None:
    made = connection()
    made.unbind(NOW)
    assert list(map(shape, made.receive_eof(NOW))) == [ended(CloseReason.UNBOUND)]


def test_nothing_follows_the_end() -> None:
    made = connection(Role.SMSC)
    made.receive_data(encode(SUBMIT), NOW)
    made.close(NOW)
    assert made.receive_data(encode(SUBMIT), NOW) == []
    assert made.receive_eof(NOW) == []
    assert made.close(NOW) == made.abort(NOW) == []
    assert made.next_timer() is None
    assert made.handle_timer(NOW + 1e9) == []
    made.respond_many(c.SUBMIT_SM_RESP, [7], NOW)  # it was on its way to the disk: no mistake
    made.send(SubmitSmResp(sequence_number=7), NOW)
    assert made.data_to_send() == b""


def test_our_enquire_link_is_answered_in_one_way_or_another() -> None:
    made = connection()
    for answer in (EnquireLinkResp(), GenericNack(command_status=c.ESME_RINVCMDID)):
        answer.sequence_number = made.send(EnquireLink(), NOW)
        assert made.receive_data(encode(answer), NOW + 1) == [Alive(NOW)]
        assert made.receive_data(encode(answer), NOW + 1) == [Unexpected(answer)]


def test_query_sm_resp_is_read_by_the_codec() -> None:
    made = connection()
    number = made.send(QuerySm(message_id="x"), NOW, "q")
    response = QuerySmResp(sequence_number=number, message_id="x", message_state=2)
    assert made.receive_data(encode(response), NOW) == [Answered("q", c.QUERY_SM, response, NOW)]
