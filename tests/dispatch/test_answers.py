"""What operators answer, and what becomes of the messages."""

from typing import Any

import pytest

from bench.smsc import SILENT, SimulatedSmsc
from config.settings import Carrier, Duration, Route, RouteCarrier, StatusRule
from gateway.model import Status
from gateway.store.messages import Outcome
from protocol import constants as c
from protocol.message_id import canonical
from protocol.pdu import Outbind, SubmitSm, SubmitSmResp
from protocol.udh import parse
from tests.dispatch.conftest import Smsc, Start, carrier, settings

NUMBERS = list(range(46700000000, 46700000020))
THREE_PARTS = "0123456789" * 40


def place(smsc: SimulatedSmsc, index: int) -> tuple[str, int, int]:
    """(destination, reference, sequence) of a submit."""
    pdu = smsc.submits[index].pdu
    concat = parse(pdu.short_message)[0].concat
    assert concat is not None
    return pdu.destination_addr, concat.reference, concat.sequence


async def test_parts_stay_together_in_order_and_within_the_window(smsc: Smsc, start: Start) -> None:
    operator = await smsc(latency=0.002, jitter=0.002)
    world = await start(settings(carrier("op1", operator, window=4, binds=2)))
    await world.store.put(NUMBERS, THREE_PARTS, parts=3)
    await world.store.sent(20)
    assert operator.counters.window_peak <= 4
    for bind in {submit.bind for submit in operator.submits}:
        own = [i for i, submit in enumerate(operator.submits) if submit.bind == bind]
        for first in range(0, len(own), 3):
            places = [place(operator, index) for index in own[first : first + 3]]
            assert [sequence for _, _, sequence in places] == [1, 2, 3]
            assert len({(number, reference) for number, reference, _ in places}) == 1
    assert len({submit.bind for submit in operator.submits}) == 2
    ids = {(s.destination, place(operator, i)[2]): canonical(s.message_id)
           for i, s in enumerate(operator.submits)}  # fmt: skip
    for result in world.store.results:
        number = str(result.message.number)
        assert list(result.operator_ids) == [ids[number, part] for part in (1, 2, 3)]


async def test_a_message_longer_than_the_window_goes_when_the_link_is_idle(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc(latency=0.002)
    world = await start(settings(carrier("op1", operator, window=2)))
    await world.store.put(NUMBERS[:3])
    await world.store.put(NUMBERS[3:4], "0123456789" * 70, parts=5)
    await world.store.put(NUMBERS[4:7])
    await world.store.sent(7)
    assert operator.counters.window_peak == 2
    long = [i for i, s in enumerate(operator.submits) if s.destination == str(NUMBERS[3])]
    assert [place(operator, index)[2] for index in long] == [1, 2, 3, 4, 5]
    assert long == list(range(long[0], long[0] + 5)), "others came between"


@pytest.mark.parametrize("status", [c.ESME_RTHROTTLED, c.ESME_RMSGQFUL])
async def test_a_throttled_message_is_sent_again_and_was_no_attempt(
    smsc: Smsc, start: Start, status: int
) -> None:
    operator = await smsc()
    operator.script.append(status)
    world = await start(settings(carrier("op1", operator, rate=1000.0)))
    await world.store.put(NUMBERS[:5])
    await world.store.sent(5)
    assert [result.outcome for result in world.store.results] == [Outcome.SENT] * 5
    assert operator.counters.submits == 6
    throttled, again = [s for s in operator.submits if s.destination == str(NUMBERS[0])]
    assert again.at - throttled.at >= 0.5
    assert world.statuses()["op1"].rate_now < 600
    assert world.metric("aldis_throttled_total", carrier="op1") == 1


async def test_a_throttled_part_follows_its_message_over_the_same_link(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc()
    operator.script.extend([c.ESME_ROK, c.ESME_RTHROTTLED, c.ESME_ROK])
    world = await start(settings(carrier("op1", operator, binds=2)))
    await world.store.put(NUMBERS[:1], THREE_PARTS, parts=3)
    await operator.until(lambda: operator.counters.submits == 3)
    await world.store.put(NUMBERS[1:3])
    await world.store.sent(3)
    parts = [i for i, s in enumerate(operator.submits) if s.destination == str(NUMBERS[0])]
    assert [place(operator, index)[2] for index in parts] == [1, 2, 3, 2]
    assert len({operator.submits[index].bind for index in parts}) == 1
    (result,) = [r for r in world.store.results if r.message.number == NUMBERS[0]]
    assert len(result.operator_ids) == 3
    assert all(result.operator_ids)
    (view,) = await world.store.messages(None, [result.message.id])
    assert view is not None
    assert view.attempts == 1  # the throttled submission is not one


async def congested(smsc: SimulatedSmsc, index: int, status: int, state: bytes) -> None:
    """Answer a submit that was left open, telling a congestion_state."""
    smsc.binds[0].send(
        SubmitSmResp(
            command_status=status,
            sequence_number=smsc.submits[index].pdu.sequence_number,
            message_id="" if status else "A1",
            tlvs=((0x0428, state),),
        )
    )


async def test_congestion_slows_down_and_loses_nothing(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator, rate=1000.0)))
    await operator.until(lambda: len(operator.binds) == 1)
    operator.stay_silent(3)
    await world.store.put(NUMBERS[:3])
    await operator.until(lambda: operator.counters.silent == 3)
    assert world.metric("aldis_congestion_state", carrier="op1") == 0
    await congested(operator, 0, c.ESME_ROK, b"\x5f")
    await congested(operator, 1, c.ESME_RINVDSTADR, b"\x5e")
    await congested(operator, 2, c.ESME_ROK, b"\0\x64")  # no state of one octet: nobody's guess
    await world.store.until(lambda: len(world.store.results) == 3)
    assert {r.operator_ids for r in world.store.of(Status.SENT)} == {("a1",)}
    assert 600 < world.statuses()["op1"].rate_now < 800
    assert world.metric("aldis_congestion_state", carrier="op1") == 0x5E
    assert world.metric("aldis_throttled_total", carrier="op1") == 0


async def test_what_the_session_forbids_or_nobody_can_read_is_counted(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    await operator.until(lambda: len(operator.binds) == 1)
    operator.stay_silent()
    await world.store.put(NUMBERS[:1])
    await operator.until(lambda: operator.counters.silent == 1)
    [session] = operator.binds
    session.send(SubmitSm(sequence_number=1, source_addr="1", destination_addr="2"))
    session.send(Outbind(sequence_number=2, system_id="x", password="y"))
    session.send(SubmitSmResp(sequence_number=77, message_id="stray"))
    session.send_octets(bytes.fromhex("0000001400000005000000000000000301020304"))  # deliver_sm
    number = operator.submits[0].pdu.sequence_number.to_bytes(4, "big")
    broken = b"A1\0" + bytes.fromhex("001e00ff31")  # a TLV that runs past the end
    session.send_octets(
        (16 + len(broken)).to_bytes(4, "big") + bytes.fromhex("8000000400000000") + number + broken
    )
    await world.store.sent(1)
    refused = "aldis_refused_pdus_total"
    assert world.metric(refused, carrier="op1", command="submit_sm") == 1
    assert world.metric(refused, carrier="op1", command="outbind") == 1
    assert world.metric(
        "aldis_unexpected_pdus_total", carrier="op1", command="submit_sm_resp"
    ) == 1  # fmt: skip
    assert world.metric("aldis_malformed_pdus_total", carrier="op1") == 2


def over_two(first: Carrier, second: Carrier) -> Any:
    """A route that prefers the first carrier."""
    route = Route(
        name="main",
        carriers=(
            RouteCarrier(name=first.name, rank=0),
            RouteCarrier(name=second.name, rank=1),
        ),
    )
    return settings(first, second, routes=[route])


async def test_a_failing_carrier_gets_its_attempts_and_then_the_next_one_is_asked(
    smsc: Smsc, start: Start
) -> None:
    failing, working = await smsc(errors={c.ESME_RSYSERR: 1.0}), await smsc()
    world = await start(over_two(carrier("op1", failing, max_attempts=2), carrier("op2", working)))
    await world.store.put(NUMBERS[:1])
    await world.store.sent(1)
    first, second, third = world.store.results
    assert (first.outcome, first.attempts, first.lane) == (Outcome.RETRY, 1, "main/bulk")
    assert first.due - first.at >= 10_000
    assert first.carrier_code == "ESME_RSYSERR"
    assert (second.outcome, second.attempts, second.lane) == (Outcome.RETRY, 0, "main/bulk/op1")
    assert (third.outcome, third.carrier) == (Outcome.SENT, "op2")


async def test_without_another_carrier_the_message_fails(smsc: Smsc, start: Start) -> None:
    operator = await smsc(errors={c.ESME_RSUBMITFAIL: 1.0})
    world = await start(settings(carrier("op1", operator, max_attempts=3)))
    await world.store.put(NUMBERS[:1])
    await world.store.until(lambda: bool(world.store.of(Status.FAILED)))
    assert [result.attempts for result in world.store.results[:2]] == [1, 2]
    last = world.store.results[-1]
    assert (last.reason, last.carrier_code) == ("network_error", "ESME_RSUBMITFAIL")
    assert operator.counters.submits == 3


async def test_a_permanent_refusal_is_final(smsc: Smsc, start: Start) -> None:
    operator = await smsc(error_of={str(NUMBERS[0]): c.ESME_RINVDSTADR})
    world = await start(settings(carrier("op1", operator)))
    await world.store.put(NUMBERS[:2])
    await world.store.until(lambda: len(world.store.results) == 2)
    (result,) = world.store.of(Status.REJECTED)
    assert result.message.number == NUMBERS[0]
    assert (result.outcome, result.reason) == (Outcome.FAILED, "unknown_subscriber")
    assert result.carrier_code == "ESME_RINVDSTADR"


async def test_a_carrier_says_what_its_own_statuses_mean(smsc: Smsc, start: Start) -> None:
    operator, other = await smsc(), await smsc()
    operator.script.extend([0x400, 0x401])
    rules = {
        "0x400": StatusRule(action="reject", reason="mass_mailing_refused"),
        "0x401": StatusRule(action="next_carrier"),
    }
    world = await start(over_two(carrier("op1", operator, status=rules), carrier("op2", other)))
    await world.store.put(NUMBERS[:2])
    await world.store.sent(1)
    (refused,) = world.store.of(Status.REJECTED)
    assert (refused.reason, refused.carrier_code) == ("mass_mailing_refused", "0x00000400")
    (moved,) = world.store.of(Status.SENT)
    assert moved.carrier == "op2"


async def test_one_refused_part_decides_over_those_taken(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    operator.script.extend([c.ESME_ROK, c.ESME_RINVDSTADR, c.ESME_RTHROTTLED])
    world = await start(settings(carrier("op1", operator)))
    await world.store.put(NUMBERS[:1], THREE_PARTS, parts=3)
    await world.store.until(lambda: len(world.store.results) == 1)
    assert world.store.results[0].status == Status.REJECTED
    assert operator.counters.submits == 3


async def test_no_answer_is_resent_when_the_policy_says_so(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    operator.stay_silent()
    world = await start(settings(carrier("op1", operator, response_timeout=Duration(0.1))))
    await world.store.put(NUMBERS[:1], category="transactional", lane="main/otp")
    await world.store.sent(1)
    first, second = world.store.results
    assert (first.outcome, first.status) == (Outcome.UNKNOWN, Status.QUEUED)
    assert (first.attempts, first.reason) == (1, "outcome_unknown")
    assert second.status == Status.SENT
    assert world.metric("aldis_possible_duplicates_total", carrier="op1") == 1
    assert world.metric("aldis_outcome_unknown_total", carrier="op1", cause="timeout") == 1


async def test_no_answer_is_the_end_when_the_policy_says_so(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    operator.stay_silent(2)
    world = await start(
        settings(
            carrier(
                "op1",
                operator,
                response_timeout=Duration(0.1),
                on_unknown={"transactional": "fail"},
            )
        )
    )
    await world.store.put(NUMBERS[:1], category="advertising")
    await world.store.put(NUMBERS[1:2], category="transactional")
    await world.store.until(lambda: len(world.store.results) == 2)
    assert {result.status for result in world.store.results} == {Status.UNKNOWN}
    assert world.metric("aldis_possible_duplicates_total", carrier="op1") == 0


async def test_a_message_nobody_ever_answers_is_not_resent_for_ever(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc(silence=1.0)
    world = await start(
        settings(carrier("op1", operator, response_timeout=Duration(0.05), max_attempts=2))
    )
    await world.store.put(NUMBERS[:1])
    await world.store.until(lambda: bool(world.store.of(Status.UNKNOWN)))
    assert operator.counters.submits == 2


async def test_a_late_answer_reaches_the_store(smsc: Smsc, start: Start) -> None:
    operator = await smsc(silence=1.0, late_after=0.2)
    world = await start(settings(carrier("op1", operator, response_timeout=Duration(0.05))))
    (message,) = await world.store.put(NUMBERS[:1], category="advertising")
    await world.store.until(lambda: bool(world.store.late))
    assert [result.status for result in world.store.results] == [Status.UNKNOWN]
    (late,) = world.store.late
    assert (late.message, late.carrier, late.part, late.parts) == (message, "op1", 1, 1)
    assert late.operator_id == canonical(operator.submits[0].message_id)
    assert world.metric("aldis_late_responses_total", carrier="op1") == 1


async def test_a_late_answer_completes_a_message_that_still_waits_for_others(
    smsc: Smsc, start: Start
) -> None:
    """Part 1 times out, part 2 is throttled and comes later: the late answer of part 1 counts."""
    operator = await smsc()
    operator.script.extend([SILENT, c.ESME_RTHROTTLED])
    world = await start(settings(carrier("op1", operator, response_timeout=Duration(0.1))))
    await world.store.put(NUMBERS[:1], "0123456789" * 20, parts=2, category="advertising")
    await world.store.until(lambda: len(world.store.results) == 1)
    # with part 1 unknown the throttled part is not sent again
    assert world.store.results[0].status == Status.UNKNOWN
    assert operator.counters.submits == 2


async def test_a_cut_link_leaves_the_sent_unknown_and_gives_the_rest_back(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc(latency=60.0)
    world = await start(settings(carrier("op1", operator, window=2)))
    await world.store.put(NUMBERS[:2], category="advertising")
    await world.store.put(NUMBERS[2:12], category="advertising")
    await operator.until(lambda: operator.counters.submits == 2)
    await world.store.until(lambda: len(world.store.leased) > 2)
    prefetched = len(world.store.leased) - 2
    operator.behaviour = type(operator.behaviour)(receipts={})
    operator.hang_up()
    await world.store.sent(10)
    unknown = world.store.of(Status.UNKNOWN)
    assert {result.message.number for result in unknown} == set(NUMBERS[:2])
    back = [result for result in world.store.results if result.outcome is Outcome.RETRY]
    assert len(back) == prefetched
    assert all(r.attempts == 0 and r.due == r.at and r.lane == "main/bulk" for r in back)
    assert operator.counters.submits == 12
    assert world.metric("aldis_outcome_unknown_total", carrier="op1", cause="link") == 2


async def test_results_of_one_read_are_one_call(smsc: Smsc, start: Start) -> None:
    operator = await smsc(latency=0.05)
    world = await start(settings(carrier("op1", operator, window=200)))
    await world.store.put(list(range(46700000000, 46700000100)))
    await world.store.sent(100)
    assert len(world.store.calls) <= 3


async def test_results_survive_a_store_that_is_away(smsc: Smsc, start: Start) -> None:
    operator = await smsc(latency=0.05)
    world = await start(settings(carrier("op1", operator)))
    await world.store.put(NUMBERS[:3])
    await operator.until(lambda: operator.counters.submits == 3)
    world.store.away = True
    await operator.until(lambda: operator.counters.answered == 3)
    await world.store.put(NUMBERS[3:5])
    await world.store.until(lambda: world.store.refused >= 2)
    assert operator.counters.submits == 3, "leased from a store that cannot take results"
    world.store.away = False
    await world.store.sent(5)
    assert len(world.store.results) == 5
