"""The operation matrix and the transitions, against the specification's tables read once more."""

import pytest

from protocol import constants as c
from protocol.pdu import PDUS
from protocol.state import (
    OPERATIONS,
    RECEIVABLE,
    SENDABLE,
    TRANSITIONS,
    UNANSWERED,
    Role,
    Session,
    State,
)

BINDS = {c.BIND_TRANSMITTER, c.BIND_RECEIVER, c.BIND_TRANSCEIVER}
SUBMISSIONS = {
    c.SUBMIT_SM,
    c.SUBMIT_MULTI,
    c.DATA_SM,
    c.QUERY_SM,
    c.CANCEL_SM,
    c.REPLACE_SM,
    c.BROADCAST_SM,
    c.QUERY_BROADCAST_SM,
    c.CANCEL_BROADCAST_SM,
}
DELIVERIES = {c.DELIVER_SM, c.DATA_SM, c.ALERT_NOTIFICATION}
LINK = {c.ENQUIRE_LINK}
BOUND = {c.ENQUIRE_LINK, c.UNBIND}

# The same facts as OPERATIONS, read by state instead of by command (5.0 §2.4).
BY_STATE = {
    State.OPEN: (LINK | BINDS, LINK | {c.OUTBIND}),
    State.OUTBOUND: (LINK | BINDS, LINK),
    State.BOUND_TX: (BOUND | SUBMISSIONS, BOUND),
    State.BOUND_RX: (BOUND, BOUND | DELIVERIES),
    State.BOUND_TRX: (BOUND | SUBMISSIONS, BOUND | DELIVERIES),
    State.UNBINDING: (LINK, LINK),
    State.UNBOUND: (LINK, LINK),
    State.CLOSED: (set(), set()),
}


@pytest.mark.parametrize("state", State)
def test_the_matrix_says_who_may_send_what(state: State) -> None:
    esme, smsc = BY_STATE[state]
    assert SENDABLE[Role.ESME, state] == esme
    assert SENDABLE[Role.SMSC, state] == smsc
    assert RECEIVABLE[Role.ESME, state] == smsc
    assert RECEIVABLE[Role.SMSC, state] == esme


def test_every_request_of_the_codec_has_its_line_and_every_name_its_class() -> None:
    requests = [command_id for command_id in PDUS if not command_id & c.RESPONSE_BIT]
    assert sorted(operation.command_id for operation in OPERATIONS) == sorted(requests)
    assert set(PDUS) == set(c.COMMAND_NAME)


def test_every_request_but_two_has_a_response() -> None:
    unanswered = {
        operation.command_id
        for operation in OPERATIONS
        if operation.command_id | c.RESPONSE_BIT not in PDUS
    }
    assert unanswered == UNANSWERED == {c.OUTBIND, c.ALERT_NOTIFICATION}


@pytest.mark.parametrize(("before", "command_id"), TRANSITIONS)
@pytest.mark.parametrize("role", Role)
def test_a_pdu_moves_both_ends_alike(before: State, command_id: int, role: Role) -> None:
    for note in (Session.sent, Session.received):
        session = Session(role)
        session._enter(before)
        assert note(session, command_id) is True
        assert session.state is TRANSITIONS[before, command_id]


@pytest.mark.parametrize("state", State)
def test_what_is_not_in_the_table_moves_nothing(state: State) -> None:
    for command_id in PDUS:
        if (state, command_id) in TRANSITIONS:
            continue
        session = Session(Role.ESME)
        session._enter(state)
        assert session.sent(command_id) is False
        assert session.received(command_id) is False
        assert session.state is state


def test_a_refused_bind_leaves_the_session_open() -> None:
    session = Session(Role.ESME)
    assert not session.received(c.BIND_TRANSCEIVER_RESP, c.ESME_RINVPASWD)
    assert session.state is State.OPEN
    assert session.bound_as is None


def test_an_unbind_that_was_refused_has_still_ended_the_session() -> None:
    session = Session(Role.ESME)
    session._enter(State.UNBINDING)
    assert session.received(c.UNBIND_RESP, c.ESME_RSYSERR)
    assert session.state is State.UNBOUND


def test_after_our_unbind_the_peer_may_finish_what_it_was_saying() -> None:
    session = Session(Role.ESME)
    session._enter(State.BOUND_TRX)
    session.sent(c.UNBIND)
    assert session.state is State.UNBINDING
    assert session.sendable == LINK
    assert session.receivable == BOUND | DELIVERIES
    assert session.messages == {c.DELIVER_SM, c.DATA_SM}
    assert session.bound_as is State.BOUND_TRX


def test_after_the_peers_unbind_only_our_answers_are_left() -> None:
    session = Session(Role.SMSC)
    session._enter(State.BOUND_TX)
    session.received(c.UNBIND)
    assert session.receivable == LINK
    assert session.sendable == LINK
    assert session.answerable == BOUND | SUBMISSIONS
    session.sent(c.UNBIND_RESP)
    assert session.state is State.UNBOUND
    assert session.answerable == BOUND | SUBMISSIONS
    session.closed()
    assert not session.answerable
