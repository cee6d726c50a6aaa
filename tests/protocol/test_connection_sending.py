"""What we may send, how it looks on the wire, and that a refused send changes nothing."""

import pytest
from sessions import NO_TIMERS, connection, sent

from protocol import constants as c
from protocol.connection import Connection
from protocol.errors import UsageError
from protocol.events import Unsent
from protocol.pdu import (
    AlertNotification,
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    body,
    decode,
    encode,
    prepare,
)
from protocol.state import Role, State

NOW = 100.0
SUBMIT = SubmitSm(destination_addr="46700900123", short_message=b"hi")


def test_a_request_gets_the_next_number_and_keeps_the_rest() -> None:
    made = connection(first_sequence=41)  # the bind took 41
    pdu = SubmitSm(destination_addr="46700900123", short_message=b"hi", sequence_number=7)
    assert made.send(pdu, NOW, "a") == pdu.sequence_number == 42
    assert sent(made) == [pdu]


def test_many_in_pieces_are_as_many_encoded_whole() -> None:
    made = connection(window=100)
    numbers = [f"4670090{n:04d}" for n in range(100)]
    before, after = prepare(SUBMIT, "destination_addr")
    made.send_many([(before, n.encode(), after) for n in numbers], c.SUBMIT_SM, numbers, NOW)
    data = made.data_to_send()
    assert data == b"".join(
        encode(SubmitSm(sequence_number=2 + i, destination_addr=n, short_message=b"hi"))
        for i, n in enumerate(numbers)
    )
    assert made.window_free == 0
    assert made.data_to_send() == b""


def test_the_number_wraps_in_the_middle_of_many() -> None:
    made = connection(first_sequence=c.MAX_SEQUENCE - 1)
    made.send_many([(body(SUBMIT),)] * 3, c.SUBMIT_SM, "abc", NOW)
    assert [pdu.sequence_number for pdu in sent(made)] == [c.MAX_SEQUENCE, 1, 2]


def test_everything_leaves_in_the_order_it_was_queued() -> None:
    made = connection()
    made.send(QuerySm(message_id="x"), NOW)
    made.send_many([(body(SUBMIT),)], c.SUBMIT_SM, ["a"], NOW)
    made.receive_data(encode(EnquireLink(sequence_number=5)), NOW)
    made.respond_many(c.DELIVER_SM_RESP, [6, 7], NOW)
    assert [(pdu.command_id, pdu.sequence_number) for pdu in sent(made)] == [
        (c.QUERY_SM, 2),
        (c.SUBMIT_SM, 3),
        (c.ENQUIRE_LINK_RESP, 5),
        (c.DELIVER_SM_RESP, 6),
        (c.DELIVER_SM_RESP, 7),
    ]


@pytest.mark.parametrize("status", [c.ESME_ROK, c.ESME_RX_T_APPN])
def test_a_deliver_sm_resp_has_its_empty_message_id_whatever_the_status(status: int) -> None:
    expected = (17).to_bytes(4, "big") + c.DELIVER_SM_RESP.to_bytes(4, "big")
    expected += status.to_bytes(4, "big") + (7).to_bytes(4, "big") + b"\0"
    made = connection()
    made.respond_many(c.DELIVER_SM_RESP, [7], NOW, status)
    assert made.data_to_send() == expected
    made.send(DeliverSmResp(command_status=status, sequence_number=7), NOW)
    assert made.data_to_send() == expected


def test_many_responses_with_bodies_or_without() -> None:
    made = connection(Role.SMSC)
    made.respond_many(c.SUBMIT_SM_RESP, [7, 8], NOW, bodies=[b"id-7\0", b"id-8\0"])
    made.respond_many(c.SUBMIT_SM_RESP, [9], NOW, c.ESME_RTHROTTLED)
    made.respond_many(c.SUBMIT_SM_RESP, [], NOW)
    data = made.data_to_send()
    assert data == (
        encode(SubmitSmResp(sequence_number=7, message_id="id-7"))
        + encode(SubmitSmResp(sequence_number=8, message_id="id-8"))
        + encode(SubmitSmResp(sequence_number=9, command_status=c.ESME_RTHROTTLED))
    )
    assert decode(data, len(data) - 16).command_status == c.ESME_RTHROTTLED


def test_alert_notification_and_outbind_wait_for_nothing() -> None:
    made = connection(Role.SMSC, State.OPEN)
    made.send(Outbind(system_id="smsc"), NOW)
    assert made.state is State.OUTBOUND
    made = connection(Role.SMSC)
    made.send(AlertNotification(source_addr="1", esme_addr="2"), NOW)
    assert made.outstanding == 0
    assert made.close(NOW)[:-1] == []


def test_session_requests_take_no_place_in_the_window() -> None:
    made = connection(window=1)
    made.send(SUBMIT, NOW)
    made.send(EnquireLink(), NOW)
    made.unbind(NOW)
    assert made.outstanding == 1


# ---- what is refused. Each of these leaves the connection as it was.


def refused(made: Connection, pdu: Pdu) -> None:
    before = (made.state, made.outstanding, made.window_free, made.owed)
    with pytest.raises(UsageError):
        made.send(pdu, NOW)
    assert (made.state, made.outstanding, made.window_free, made.owed) == before
    assert made.data_to_send() == b""


@pytest.mark.parametrize(
    ("role", "state", "pdu"),
    [
        (Role.ESME, State.OPEN, SUBMIT),
        (Role.ESME, State.BOUND_RX, SUBMIT),
        (Role.ESME, State.BOUND_TRX, DeliverSm()),
        (Role.ESME, State.BOUND_TRX, BindTransceiver()),
        (Role.ESME, State.OPEN, Unbind()),
        (Role.ESME, State.OPEN, Outbind()),
        (Role.SMSC, State.OPEN, DeliverSm()),
        (Role.SMSC, State.BOUND_TX, DeliverSm()),
        (Role.SMSC, State.BOUND_TRX, SUBMIT),
        (Role.SMSC, State.OUTBOUND, Outbind()),
        # responses to what cannot have been asked, or what the connection answers itself
        (Role.ESME, State.BOUND_TRX, SubmitSmResp(sequence_number=7)),
        (Role.ESME, State.BOUND_TX, DeliverSmResp(sequence_number=7)),
        (Role.SMSC, State.BOUND_TRX, DeliverSmResp(sequence_number=7)),
        (Role.SMSC, State.OPEN, BindTransceiverResp(sequence_number=7)),
        (Role.SMSC, State.BOUND_TRX, BindTransceiverResp(sequence_number=7)),
        (Role.SMSC, State.BOUND_TRX, EnquireLinkResp(sequence_number=7)),
        (Role.SMSC, State.BOUND_TRX, UnbindResp(sequence_number=7)),
        # values no header can hold
        (Role.SMSC, State.BOUND_TRX, SubmitSmResp(sequence_number=1 << 32)),
        (Role.SMSC, State.BOUND_TRX, SubmitSmResp(command_status=-1)),
        # a body that cannot be encoded
        (Role.ESME, State.BOUND_TRX, SubmitSm(short_message=bytes(300))),
        (Role.ESME, State.BOUND_TRX, SubmitSm(destination_addr="a\0b")),
    ],
    ids=repr,
)
def test_what_the_state_or_the_codec_forbids(role: Role, state: State, pdu: Pdu) -> None:
    refused(connection(role, state), pdu)


def test_a_full_window_lets_nothing_through() -> None:
    made = connection(window=2)
    with pytest.raises(UsageError):
        made.send_many([(body(SUBMIT),)] * 3, c.SUBMIT_SM, "abc", NOW)
    assert made.data_to_send() == b""
    made.send_many([(body(SUBMIT),)] * 2, c.SUBMIT_SM, "ab", NOW)
    made.data_to_send()
    refused(made, SUBMIT)


@pytest.mark.parametrize("command_id", [c.UNBIND, c.ENQUIRE_LINK, c.DELIVER_SM, c.SUBMIT_SM_RESP])
def test_send_many_is_for_messages_of_our_role(command_id: int) -> None:
    made = connection()
    with pytest.raises(UsageError):
        made.send_many([(b"",)], command_id, ["a"], NOW)
    assert made.outstanding == 0
    assert made.data_to_send() == b""


def test_as_many_contexts_as_bodies() -> None:
    made = connection()
    with pytest.raises(UsageError):
        made.send_many([(body(SUBMIT),)] * 2, c.SUBMIT_SM, ["a"], NOW)
    assert made.outstanding == 0


@pytest.mark.parametrize(
    "command_id",
    [c.DELIVER_SM_RESP, c.BIND_TRANSCEIVER_RESP, c.UNBIND_RESP, c.SUBMIT_SM, c.GENERIC_NACK],
)
def test_respond_many_is_for_responses_of_our_role(command_id: int) -> None:
    made = connection(Role.SMSC)
    with pytest.raises(UsageError):
        made.respond_many(command_id, [7], NOW)
    assert made.data_to_send() == b""


def test_respond_many_is_not_for_binds() -> None:
    made = connection(Role.SMSC, State.OPEN)
    made.receive_data(encode(BindTransceiver(sequence_number=7)), NOW)
    with pytest.raises(UsageError):
        made.respond_many(c.BIND_TRANSCEIVER_RESP, [7], NOW)
    assert made.data_to_send() == b""


def test_a_second_bind_waits_for_the_answer_to_the_first() -> None:
    made = connection(state=State.OPEN)
    made.bind(BindTransceiver(), NOW)
    made.data_to_send()
    refused(made, BindTransceiver())


def test_bind_is_for_binds() -> None:
    with pytest.raises(UsageError):
        connection(state=State.OPEN).bind(EnquireLink(), NOW)


def test_after_our_unbind_the_state_is_unbinding_and_we_ask_for_nothing_more() -> None:
    made = connection()
    made.unbind(NOW)
    assert made.state is State.UNBINDING
    made.data_to_send()
    refused(made, SUBMIT)
    refused(made, Unbind())


def test_after_the_end_requests_are_refused() -> None:
    made = connection()
    made.close(NOW)
    refused(made, SUBMIT)
    with pytest.raises(UsageError):
        made.send_many([(body(SUBMIT),)], c.SUBMIT_SM, ["a"], NOW)


def test_a_bind_response_must_name_the_bind() -> None:
    made = connection(Role.SMSC, State.OPEN)
    made.receive_data(encode(BindTransceiver(sequence_number=7)), NOW)
    refused(made, BindTransceiverResp(sequence_number=8))
    made.send(GenericNack(command_status=c.ESME_RSYSERR, sequence_number=7), NOW)
    made.data_to_send()
    refused(made, BindTransceiverResp(sequence_number=7))
    assert made.state is State.OPEN


@pytest.mark.parametrize("max_pdu", [0, 15, 65537])
def test_a_limit_that_is_none_is_refused(max_pdu: int) -> None:
    with pytest.raises(UsageError):
        Connection(Role.ESME, now=0.0, timers=NO_TIMERS, window=1, max_pdu=max_pdu)


def test_the_window_may_be_changed_on_the_way() -> None:
    made = connection(window=2)
    made.send_many([(body(SUBMIT),)] * 2, c.SUBMIT_SM, "ab", NOW)
    made.window = 3
    assert made.window == 3
    assert made.window_free == 1
    made.send(SUBMIT, NOW, "c")
    assert made.abort(NOW)[0] == Unsent(["a", "b", "c"])
