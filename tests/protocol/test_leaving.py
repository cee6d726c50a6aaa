"""The peer unbinds while requests are under way: both sides' answers come first, within limits."""

from __future__ import annotations

import pytest
from sessions import FEEDS, Feed, connection, sent

from protocol import constants as c
from protocol.connection import Connection
from protocol.events import Answered, Closed, CloseReason, Event, Lost, Received, Refused, Unbound
from protocol.outbound import LEAVE_TAKING
from protocol.pdu import DeliverSm, GenericNack, SubmitSm, SubmitSmResp, Unbind, body, encode
from protocol.state import Role, State
from protocol.timers import Timers

NOW = 100.0
UNBIND = encode(Unbind(sequence_number=77))


def submitting(count: int, **options: Timers) -> Connection:
    """A link of ours with so many submits under way: contexts 0, 1, ..., numbers 2, 3, ..."""
    made = connection(Role.ESME, **options)
    made.send_many([(body(SubmitSm()),)] * count, c.SUBMIT_SM, range(count), NOW)
    made.data_to_send()
    return made


def response(number: int) -> bytes:
    return encode(SubmitSmResp(sequence_number=number, message_id=f"id{number}"))


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events]


@pytest.mark.parametrize("feed", FEEDS)
def test_responses_behind_the_unbind_are_answers_and_the_last_one_lets_go(feed: Feed) -> None:
    made = submitting(3)
    assert kinds(made.receive_data(UNBIND + response(3), NOW)) == [Unbound, Answered]
    assert made.state is State.UNBINDING
    assert sent(made) == []
    nack = encode(GenericNack(sequence_number=4, command_status=c.ESME_RSYSERR))
    events = feed(made, response(2) + nack, NOW)
    assert kinds(events) == [Answered, Answered, Closed]
    assert isinstance(events[-1], Closed) and events[-1].reason == CloseReason.PEER_UNBOUND
    assert [pdu.command_id for pdu in sent(made)] == [c.UNBIND_RESP]


@pytest.mark.parametrize("feed", FEEDS)
def test_what_follows_the_last_response_is_not_read(feed: Feed) -> None:
    made = submitting(1)
    late = encode(DeliverSm(sequence_number=5))
    events = feed(made, UNBIND + late + response(2) + late, NOW)
    assert kinds(events) == [Unbound, Refused, Answered, Closed]
    assert [pdu.command_id for pdu in sent(made)] == [c.DELIVER_SM_RESP, c.UNBIND_RESP]


def test_a_peer_that_answers_no_more_is_let_go_soon() -> None:
    made = submitting(2, timers=Timers(response=30))
    made.receive_data(UNBIND + response(2), NOW)
    assert made.next_timer() == NOW + LEAVE_TAKING
    assert made.handle_timer(NOW + LEAVE_TAKING / 2) == []
    events = made.handle_timer(NOW + LEAVE_TAKING)
    assert events == [Lost([1]), Closed(CloseReason.PEER_UNBOUND)]
    assert [pdu.command_id for pdu in sent(made)] == [c.UNBIND_RESP]


def test_our_own_answers_have_their_time_and_then_the_peer_s_have_theirs() -> None:
    made = submitting(1, timers=Timers(response=30))
    (deliver,) = made.receive_data(encode(DeliverSm(sequence_number=9)), NOW)
    assert isinstance(deliver, Received)
    made.receive_data(UNBIND, NOW)
    assert made.next_timer() == NOW + 30
    made.respond_many(c.DELIVER_SM_RESP, [9], NOW + 5)
    assert [pdu.command_id for pdu in sent(made)] == [c.DELIVER_SM_RESP]
    assert made.next_timer() == NOW + 5 + LEAVE_TAKING
    events = made.receive_data(response(2), NOW + 5.5)
    assert kinds(events) == [Answered, Closed]


def test_a_peer_that_unbinds_and_hangs_up_is_gone_at_once() -> None:
    made = submitting(1)
    made.receive_data(UNBIND, NOW)
    assert made.receive_eof(NOW) == [Lost([0]), Closed(CloseReason.PEER_UNBOUND)]


def test_two_unbinds_that_cross_over_requests_under_way() -> None:
    made = submitting(1)
    made.unbind(NOW)
    assert kinds(made.receive_data(UNBIND, NOW)) == [Unbound]
    events = made.receive_data(response(2), NOW)
    assert kinds(events) == [Answered, Closed]
