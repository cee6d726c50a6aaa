"""The four timers, with a clock that is moved by hand and stops exactly where it is told to."""

from math import inf, nextafter

import pytest
from sessions import connection, sent

from protocol import constants as c
from protocol.connection import Connection
from protocol.events import Alive, Bound, Closed, CloseReason, Lost, TimedOut, Unbound
from protocol.pdu import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    Outbind,
    QuerySm,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    body,
    encode,
)
from protocol.state import Role, State
from protocol.timers import Clockwork, Timers, after

START = 1000.1
STARTS = [State.OPEN, State.OUTBOUND, State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX]
DELIVER = encode(DeliverSm(sequence_number=7, source_addr="46700900123"))


def only(**durations: float) -> Timers:
    """Timers of which all are off but these."""
    off: dict[str, float] = {
        "session_init": 0,
        "enquire_link": 0,
        "enquire_link_gap": 0,
        "inactivity": 0,
        "response": 0,
    }
    return Timers(**(off | durations))  # type: ignore[arg-type]


def due(made: Connection, expected: float) -> float:
    """Assert when the next timer is due, and that nothing at all happens the moment before."""
    assert made.next_timer() == expected
    assert made.handle_timer(nextafter(expected, -inf)) == []
    assert made.data_to_send() == b""
    return expected


def submit(made: Connection, now: float, *contexts: object) -> None:
    pieces = (body(SubmitSm(destination_addr="46700900123")),)
    made.send_many([pieces] * len(contexts), c.SUBMIT_SM, contexts, now)
    made.data_to_send()


def test_a_timer_of_no_duration_never_runs_out() -> None:
    assert after(5.0, 0) == inf
    assert after(5.0, 30) == 35.0


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", STARTS)
def test_with_every_timer_off_there_is_nothing_to_wait_for(role: Role, state: State) -> None:
    made = connection(role, state, timers=only())
    assert made.next_timer() is None
    assert made.handle_timer(1e12) == []


# ---- session_init


@pytest.mark.parametrize("role", Role)
def test_who_says_nothing_is_not_waited_for(role: Role) -> None:
    made = connection(role, State.OPEN, timers=only(session_init=10), now=START)
    made.receive_data(encode(EnquireLink(sequence_number=1)), START + 9)  # not what we wait for
    made.data_to_send()
    assert made.handle_timer(due(made, START + 10)) == [Closed(CloseReason.SESSION_INIT)]


def test_a_peer_that_sends_an_octet_now_and_then_is_not_waited_for() -> None:
    made = connection(Role.SMSC, State.OPEN, timers=only(session_init=10), now=START)
    for second, octet in enumerate(encode(BindTransceiver(sequence_number=1))[:9]):
        made.receive_data(bytes([octet]), START + second)
    assert made.handle_timer(due(made, START + 10)) == [Closed(CloseReason.SESSION_INIT)]


def test_while_a_bind_is_looked_at_session_init_stands_still() -> None:
    made = connection(Role.SMSC, State.OPEN, timers=only(session_init=10), now=START)
    made.receive_data(encode(BindTransceiver(sequence_number=1)), START + 9)
    assert made.next_timer() is None
    made.send(BindTransceiverResp(sequence_number=1, command_status=c.ESME_RINVPASWD), START + 30)
    made.data_to_send()
    assert made.handle_timer(due(made, START + 40)) == [Closed(CloseReason.SESSION_INIT)]


def test_after_a_refusal_we_may_try_as_long_again() -> None:
    made = connection(state=State.OPEN, timers=only(session_init=10), now=START)
    number = made.bind(BindTransceiver(), START + 1)
    made.data_to_send()
    assert made.next_timer() is None
    refusal = BindTransceiverResp(sequence_number=number, command_status=c.ESME_RBINDFAIL)
    made.receive_data(encode(refusal), START + 5)
    assert made.handle_timer(due(made, START + 15)) == [Closed(CloseReason.SESSION_INIT)]


@pytest.mark.parametrize("role", Role)
def test_an_outbind_gives_the_esme_time_to_bind(role: Role) -> None:
    made = connection(role, State.OPEN, timers=only(session_init=10), now=START)
    outbind = Outbind(sequence_number=1, system_id="smsc")
    if role is Role.SMSC:
        made.send(outbind, START + 8)
        made.data_to_send()
    else:
        made.receive_data(encode(outbind), START + 8)
    assert made.handle_timer(due(made, START + 18)) == [Closed(CloseReason.SESSION_INIT)]


def test_a_bind_nobody_answers_is_the_end() -> None:
    made = connection(state=State.OPEN, timers=only(session_init=10, response=30), now=START)
    made.bind(BindTransceiver(), START + 1)
    made.data_to_send()
    assert made.handle_timer(due(made, START + 31)) == [Closed(CloseReason.RESPONSE)]


# ---- response


def test_a_request_nobody_answers_times_out_and_the_link_lives_on() -> None:
    made = connection(timers=only(response=30), now=START)
    submit(made, START + 1, "a", "b")
    submit(made, START + 2, "c")
    made.receive_data(encode(SubmitSmResp(sequence_number=2, message_id="x")), START + 3)
    assert made.handle_timer(due(made, START + 31)) == [TimedOut("b", c.SUBMIT_SM, 3, START + 1)]
    assert made.handle_timer(due(made, START + 32)) == [TimedOut("c", c.SUBMIT_SM, 4, START + 2)]
    assert made.next_timer() is None
    assert made.state is State.BOUND_TRX


def test_all_that_is_overdue_comes_at_once() -> None:
    made = connection(timers=only(response=30), window=1000, now=START)
    submit(made, START, *range(1000))
    events = made.handle_timer(START + 60)
    assert [event.context for event in events if isinstance(event, TimedOut)] == list(range(1000))
    assert made.window_free == 1000


def test_an_unbind_nobody_answers_is_the_end() -> None:
    made = connection(timers=only(response=30), now=START)
    made.unbind(START)
    made.data_to_send()
    assert made.handle_timer(due(made, START + 30)) == [Closed(CloseReason.RESPONSE)]


def test_an_unbind_of_the_peer_waits_for_us_no_longer_than_a_response_may_take() -> None:
    made = connection(timers=only(response=30), now=START)
    events = made.receive_data(DELIVER + encode(Unbind(sequence_number=8)), START)
    assert events[1:] == [Unbound(by_peer=True)]
    assert made.handle_timer(due(made, START + 30)) == [Closed(CloseReason.PEER_UNBOUND)]
    assert sent(made) == [UnbindResp(sequence_number=8)]


# ---- enquire_link


def enquired(made: Connection, now: float) -> int:
    """Assert that an enquire_link goes out at `now` and return its sequence_number."""
    assert made.handle_timer(due(made, now)) == []
    (pdu,) = sent(made)
    assert pdu.command_id == c.ENQUIRE_LINK
    return pdu.sequence_number


def test_silence_is_asked_after_and_an_answer_starts_it_anew() -> None:
    made = connection(timers=only(enquire_link=30, enquire_link_response=10), now=START)
    number = enquired(made, START + 30)
    assert made.next_timer() == START + 40
    answer = encode(EnquireLinkResp(sequence_number=number))
    assert made.receive_data(answer, START + 32) == [Alive(START + 30)]
    enquired(made, START + 62)


@pytest.mark.parametrize("role", Role)
def test_no_answer_is_the_end(role: Role) -> None:
    made = connection(role, timers=only(enquire_link=30, enquire_link_response=10), now=START)
    if role is Role.ESME:
        submit(made, START, "a")
    enquired(made, START + 30)
    end = made.handle_timer(due(made, START + 40))
    lost = [Lost(["a"])] if role is Role.ESME else []
    assert end == [*lost, Closed(CloseReason.ENQUIRE_LINK)]


def test_traffic_heard_saves_the_question() -> None:
    made = connection(timers=only(enquire_link=30), now=START)
    made.receive_data(DELIVER, START + 20)
    assert made.next_timer() == START + 50


def test_what_we_say_is_no_sign_of_life() -> None:
    made = connection(timers=only(enquire_link=30), now=START)
    submit(made, START + 20, "a")
    enquired(made, START + 30)


def test_half_a_pdu_is_no_sign_of_life() -> None:
    made = connection(timers=only(enquire_link=30), now=START)
    made.receive_data(DELIVER[:-1], START + 20)
    enquired(made, START + 30)


def test_a_busy_peer_that_forgets_to_answer_is_alive() -> None:
    made = connection(timers=only(enquire_link=30, enquire_link_response=10), now=START)
    number = enquired(made, START + 30)
    made.receive_data(DELIVER, START + 35)
    assert made.handle_timer(due(made, START + 40)) == []
    assert made.state is State.BOUND_TRX
    answer = encode(EnquireLinkResp(sequence_number=number))
    assert made.receive_data(answer, START + 41) == [Alive(START + 30)]


def test_an_operator_may_want_to_be_asked_under_traffic() -> None:
    timers = only(enquire_link=30, enquire_link_response=10, enquire_link_under_traffic=True)
    made = connection(timers=timers, now=START)
    for moment in (START + 30, START + 60):
        made.receive_data(DELIVER, moment - 1)
        number = enquired(made, moment)
        made.receive_data(encode(EnquireLinkResp(sequence_number=number)), moment + 1)


def test_two_questions_keep_their_distance() -> None:
    made = connection(timers=only(enquire_link=2, enquire_link_gap=10), now=START)
    number = enquired(made, START + 2)
    made.receive_data(encode(EnquireLinkResp(sequence_number=number)), START + 3)
    enquired(made, START + 12)


def test_before_the_bind_nobody_is_asked() -> None:
    made = connection(state=State.OPEN, timers=only(enquire_link=30), now=START)
    assert made.next_timer() is None
    number = made.bind(BindTransceiver(), START + 100)
    made.data_to_send()
    response = BindTransceiverResp(sequence_number=number)
    assert made.receive_data(encode(response), START + 200) == [Bound(State.BOUND_TRX, response)]
    enquired(made, START + 230)


def test_a_smsc_asks_from_the_bind_on() -> None:
    made = connection(Role.SMSC, State.OPEN, timers=only(enquire_link=30), now=START)
    made.receive_data(encode(BindTransceiver(sequence_number=1)), START + 1)
    made.send(BindTransceiverResp(sequence_number=1), START + 5)
    made.data_to_send()
    enquired(made, START + 35)


# ---- inactivity


def test_a_session_nobody_uses_is_unbound() -> None:
    made = connection(timers=only(inactivity=60), now=START)
    assert made.handle_timer(due(made, START + 60)) == []
    (unbind,) = sent(made)
    assert unbind == Unbind(sequence_number=2)
    events = made.receive_data(encode(UnbindResp(sequence_number=2)), START + 61)
    assert events == [Unbound(by_peer=False), Closed(CloseReason.INACTIVITY)]


def test_enquire_link_is_no_use_of_the_session_but_messages_are() -> None:
    made = connection(timers=only(inactivity=60), now=START)
    submit(made, START + 10, "a")
    made.receive_data(encode(SubmitSmResp(sequence_number=2, message_id="x")), START + 20)
    made.receive_data(encode(EnquireLink(sequence_number=9)), START + 50)
    made.data_to_send()
    assert made.next_timer() == START + 80


def test_whatever_we_say_is_use_of_the_session() -> None:
    made = connection(timers=only(inactivity=60), now=START)
    made.receive_data(DELIVER, START)
    submit(made, START + 1, "a")
    assert made.next_timer() == START + 61
    made.send(QuerySm(message_id="x"), START + 2)
    assert made.next_timer() == START + 62
    made.respond_many(c.DELIVER_SM_RESP, [7], START + 3)
    assert made.next_timer() == START + 63


def test_a_session_that_owes_answers_is_in_use() -> None:
    made = connection(timers=only(inactivity=60), now=START)
    made.receive_data(DELIVER, START)
    assert made.handle_timer(due(made, START + 60)) == []
    assert made.data_to_send() == b""
    made.respond_many(c.DELIVER_SM_RESP, [7], START + 61)
    assert made.next_timer() == START + 121


def test_a_session_that_waits_for_answers_is_in_use() -> None:
    made = connection(timers=only(inactivity=60), now=START)
    submit(made, START, "a")
    assert made.handle_timer(due(made, START + 60)) == []
    assert made.data_to_send() == b""
    assert made.next_timer() == START + 120


# ---- together


def test_next_timer_is_always_the_nearest_and_is_never_missed() -> None:
    """Only ever waking when told to, everything that is due happens, at its moment."""
    timers = Timers(
        session_init=10, enquire_link=30, enquire_link_response=7, inactivity=0, response=20
    )
    made = connection(timers=timers, window=50, now=START)
    for second in range(50):
        submit(made, START + second / 10, second)
    seen: list[tuple[float, object]] = []
    while (moment := made.next_timer()) is not None:
        events = made.handle_timer(moment)
        seen += [(moment, event) for event in events]
        assert made.next_timer() != moment, "due, handled and due again: the adapter would spin"
    times_out = [(moment, e) for moment, e in seen if isinstance(e, TimedOut)]
    assert [(m, e.context) for m, e in times_out] == [
        (e.sent_at + 20, e.context) for _, e in times_out
    ]
    assert [e.context for _, e in times_out] == list(range(50))
    assert seen[-1] == (START + 37, Closed(CloseReason.ENQUIRE_LINK))


def test_the_clockwork_forgets_nothing_it_was_told() -> None:
    clock = Clockwork(Timers(enquire_link=30, enquire_link_gap=10, inactivity=5), START)
    assert clock.session_init_at() == START + 10
    assert clock.enquire_at() == START + 30
    assert clock.inactive_at() == START + 5
    clock.enquired_at = START + 25
    assert clock.enquire_at() == START + 35
