"""Who takes what, when: classes, pace, weights, ranks, reloads, and the end."""

import asyncio
import logging
from collections import Counter

import msgspec
import pytest

from config.settings import Duration, Route, RouteCarrier
from gateway.dispatch.encode import Encoder
from gateway.errors import ConfigError
from gateway.model import Status
from gateway.store.messages import Leased, Outcome
from tests.dispatch.conftest import Smsc, Start, World, carrier, settings, utc_now

MANY = list(range(46700000000, 46700000300))


async def test_a_one_time_code_overtakes_a_campaign(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator, rate=400.0, burst=1)))
    await world.store.put(MANY)
    await operator.until(lambda: operator.counters.submits >= 10)
    await world.store.put([46709999999], lane="main/otp", category="transactional")
    await world.store.put([46708888888], lane="main/service")
    behind = operator.counters.submits
    await world.store.until(lambda: any(r.message.number == 46708888888 for r in world.store.of(
        Status.SENT)))  # fmt: skip
    order = [submit.destination for submit in operator.submits]
    # What leaves while the lease is being written goes first: 50 ms at 400/s, on a busy machine.
    assert order.index("46709999999") < order.index("46708888888") <= behind + 20
    assert len(order) < len(MANY)


async def test_a_message_we_fail_on_ends_and_the_others_leave(
    smsc: Smsc, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = await smsc()
    bodies = Encoder._bodies

    def mistaken(self: Encoder, message: Leased, *rest: object) -> object:
        if message.number == 46709999999:
            raise ZeroDivisionError
        return bodies(self, message, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Encoder, "_bodies", mistaken)
    world = await start(settings(carrier("op1", operator)))
    (bad,) = await world.store.put([46709999999])
    await world.store.put(MANY[:5])
    await world.store.sent(5)
    await world.store.until(lambda: len(world.store.of(Status.FAILED)) == 1)
    (result,) = world.store.of(Status.FAILED)
    assert (result.message.id, result.reason) == (bad, "invalid_text")
    assert not world.store.leased


async def test_the_rate_is_in_pdus_and_is_kept(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator, rate=300.0, burst=10, window=50)))
    await world.store.put(MANY[:40], "0123456789" * 30, parts=2)
    await world.store.put(MANY[40:80])
    await world.store.sent(80)
    times = sorted(submit.at for submit in operator.submits)
    assert len(times) == 120
    # one more than the burst: the second part of a message may run up a debt
    for first in range(len(times)):
        for last in range(first, len(times)):
            # An operator that stalled finds all at once what came to its socket meanwhile.
            assert last - first + 1 <= 11 + 300.0 * (times[last] - times[first] + 0.1)
    assert times[-1] - times[0] < 110 / 300.0 + 5.0, "the rate was not used"


async def test_scarce_messages_are_shared_by_weight(smsc: Smsc, start: Start) -> None:
    first, second = await smsc(), await smsc()
    route = Route(
        name="main",
        carriers=(RouteCarrier(name="op1", weight=3), RouteCarrier(name="op2", weight=1)),
    )
    world = await start(settings(carrier("op1", first), carrier("op2", second), routes=[route]))
    await first.until(lambda: len(first.binds) == 1)
    await second.until(lambda: len(second.binds) == 1)
    for sent in range(1, 101):
        await world.store.put(MANY[:1])
        await world.store.sent(sent)
    shares = Counter(result.carrier for result in world.store.results)
    assert 70 <= shares["op1"] <= 80


async def test_a_higher_rank_serves_only_while_the_lower_is_down(smsc: Smsc, start: Start) -> None:
    first, second = await smsc(), await smsc()
    route = Route(
        name="main",
        carriers=(RouteCarrier(name="op1", rank=0), RouteCarrier(name="op2", rank=1)),
    )
    world = await start(settings(carrier("op1", first), carrier("op2", second), routes=[route]))
    await first.until(lambda: len(first.binds) == 1)
    await second.until(lambda: len(second.binds) == 1)
    await world.store.put(MANY[:50])
    await world.store.sent(50)
    before = second.counters.submits
    await first.stop()
    await world.store.put(MANY[50:100])
    await world.store.sent(100)
    assert second.counters.submits == before + 50
    await first.start()
    await first.until(lambda: len(first.binds) == 1)
    await _up(world, "op1")
    await world.store.put(MANY[100:150])
    await world.store.sent(150)
    assert second.counters.submits == before + 50


async def _up(world: World, name: str) -> None:
    """The operator knows of a bind a moment before we do."""
    async with asyncio.timeout(5.0):
        while not world.statuses()[name].bound:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_reload_touches_only_the_carrier_that_changed(smsc: Smsc, start: Start) -> None:
    same, other, gone, new = [await smsc() for _ in range(4)]
    one, two, three = carrier("op1", same), carrier("op2", other), carrier("op3", gone)
    world = await start(settings(one, two, three))
    for name in ("op1", "op2", "op3"):
        await _up(world, name)
    changed = msgspec.structs.replace(two, window=3)
    await world.dispatcher.apply(settings(one, changed, carrier("op4", new)))
    await other.until(lambda: len(other.binds) == 1)
    await new.until(lambda: len(new.binds) == 1)
    assert (same.counters.connections, len(same.binds)) == (1, 1)
    assert other.counters.connections == 2
    assert not gone.sessions
    await _up(world, "op2")
    assert list(world.statuses()) == ["op1", "op2", "op4"]
    assert world.statuses()["op2"].window == 3
    await world.store.put(MANY)
    await world.store.sent(len(MANY))
    assert gone.counters.submits == 0


async def test_a_reload_that_cannot_work_changes_nothing(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    await operator.until(lambda: len(operator.binds) == 1)
    with pytest.raises(ConfigError):
        await world.dispatcher.apply(settings(carrier("op1", hosts=("nonsense",))))
    await world.store.put(MANY[:5])
    await world.store.sent(5)
    assert operator.counters.connections == 1


async def test_a_drain_waits_for_the_carriers_a_reload_ends(smsc: Smsc, start: Start) -> None:
    slow, other = await smsc(latency=0.3), await smsc()
    world = await start(settings(carrier("op1", slow)))
    await world.store.put(MANY[:20])
    await slow.until(lambda: slow.counters.submits == 20)
    reload = asyncio.ensure_future(world.dispatcher.apply(settings(carrier("op2", other))))
    await asyncio.sleep(0)
    assert list(world.statuses()) == []
    await world.dispatcher.drain(5.0)
    assert not world.store.leased
    await world.store.sent(20)
    await reload
    assert other.counters.connections == 0


async def test_a_reload_moves_waiting_messages_to_another_carrier(smsc: Smsc, start: Start) -> None:
    slow, fast = await smsc(latency=0.05), await smsc()
    one, two = carrier("op1", slow, window=2), carrier("op2", fast)
    world = await start(settings(one))
    await world.store.put(MANY[:50])
    await slow.until(lambda: slow.counters.submits >= 2)
    await world.dispatcher.apply(settings(two))
    await world.store.sent(50)
    assert slow.counters.submits + fast.counters.submits == 50
    assert fast.counters.submits >= 40


async def test_messages_of_a_route_that_is_gone_wait_and_are_reported_once(
    smsc: Smsc, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    await world.store.put(MANY[:2], lane="old/bulk")
    await world.store.put(MANY[2:3])
    await world.store.sent(1)
    caplog.set_level(logging.WARNING, "aldis.dispatch")
    world.dispatcher._report_unknown_routes()
    world.dispatcher._report_unknown_routes()
    assert [record.route for record in caplog.records] == ["old"]  # type: ignore[attr-defined]
    assert world.store.waiting == 2


async def test_a_message_due_later_leaves_when_it_is_due(smsc: Smsc, start: Start) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    due = utc_now() + 200_000
    await world.store.put(MANY[:1], due=due)
    await world.store.sent(1)
    assert due <= world.store.results[0].at <= due + 150_000


async def test_a_message_past_its_deadline_is_expired_and_not_sent(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    (identifier,) = await world.store.put(MANY[:1], deadline=utc_now() - 1)
    await world.store.until(lambda: not world.store.waiting)
    (message,) = await world.store.messages("acme", [identifier])
    assert message is not None
    assert (message.status, message.reason) == (Status.EXPIRED, "validity_expired")
    assert operator.counters.submits == 0


async def test_a_drain_waits_for_answers_gives_the_rest_back_and_takes_leave(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc(latency=0.1)
    world = await start(settings(carrier("op1", operator, window=5)))
    await world.store.put(MANY[:50])
    await operator.until(lambda: operator.counters.submits == 5)
    await world.dispatcher.drain(5.0)
    assert len(world.store.of(Status.SENT)) == 5
    assert not world.store.leased
    assert world.store.waiting == 45
    assert operator.counters.submits == 5
    await operator.until(lambda: not operator.sessions)
    assert world.metric("aldis_link_ends_total", carrier="op1", reason="unbound") == 1


async def test_what_is_unanswered_at_the_deadline_is_settled_by_policy(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc(silence=1.0)
    world = await start(settings(carrier("op1", operator)))
    await world.store.put(MANY[:1], category="advertising")
    await world.store.put(MANY[1:2], category="transactional", lane="main/otp")
    await operator.until(lambda: operator.counters.submits == 2)
    await world.dispatcher.drain(0.3)
    fates = {result.message.number: result.status for result in world.store.results}
    assert fates == {MANY[0]: Status.UNKNOWN, MANY[1]: Status.QUEUED}
    assert all(result.outcome is Outcome.UNKNOWN for result in world.store.results)


async def test_a_drain_ends_although_a_bind_is_still_being_tried(smsc: Smsc, start: Start) -> None:
    operator = await smsc(bind_silence=True)
    world = await start(settings(carrier("op1", operator, connect_timeout=Duration(30.0))))
    await operator.until(lambda: operator.counters.connections == 1)
    async with asyncio.timeout(1.0):
        await world.dispatcher.drain(10.0)


async def test_the_pump_rests_while_there_is_nothing_to_do(smsc: Smsc, start: Start) -> None:
    """Every lease may be a commit: an idle gateway must not spin."""
    operator, other = await smsc(latency=0.01), await smsc()
    world = await start(settings(carrier("op1", operator), carrier("op2", other)))
    await world.store.put(MANY[:1], lane="old/bulk")
    await world.store.put(MANY[1:11])
    await world.store.sent(10)
    before = len(world.store.demands)
    await asyncio.sleep(0.2)
    assert len(world.store.demands) <= before + 4
