"""From a commit that wrote events to the customer's 200, over real TCP and a real file."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook as Verifier

from gateway.events.sign import new_secret
from gateway.metrics import WEBHOOK_DEAD, WEBHOOK_EVENTS, WEBHOOK_POSTS
from gateway.store.records import DeliveryState

from .conftest import PATIENCE, SECOND, Customer, Gateway, Got, MovedClock


def data(got: Got) -> Any:
    return json.loads(got.body)["data"]


async def test_a_full_batch_leaves_at_once(gateway: Gateway, customer: Customer) -> None:
    webhook = await gateway.endpoint(customer.url())
    await gateway.happen(500)
    got = await customer.next()  # nobody moved the clock
    message = Verifier(webhook.secret).verify(got.body, got.headers)
    assert message["type"] == "message.status_batch"
    assert len(message["data"]) == 500
    assert {event["status"] for event in message["data"]} == {"sent"}
    assert got.headers["Content-Type"] == "application/json"
    result = await gateway.store.settled(1)
    assert (result.state, result.status) == (DeliveryState.DELIVERED, 200)
    assert gateway.metric(WEBHOOK_EVENTS, "shop", "message.status") == 500
    assert gateway.metric(WEBHOOK_POSTS, "shop", "ok") == 1


async def test_low_traffic_waits_a_second_for_company(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    await gateway.endpoint(customer.url())
    await gateway.happen(2)
    await gateway.happen(3)
    clock.move(0.999)
    await gateway.happen(1)
    await gateway.rest()
    assert customer.waiting() == 0
    clock.move(0.001)
    assert len(data(await customer.next())) == 6


async def test_many_small_commits_fill_a_batch(gateway: Gateway, customer: Customer) -> None:
    await gateway.endpoint(customer.url())
    for _ in range(10):
        await gateway.happen(50)
    assert len(data(await customer.next())) == 500
    assert gateway.store.cut_calls == 2  # one at the start, not one for each commit


async def test_an_endpoint_may_have_its_events_one_by_one(
    gateway: Gateway, customer: Customer
) -> None:
    webhook = await gateway.endpoint(customer.url(), batched=False)
    await gateway.happen(3)
    got = [await customer.next() for _ in range(3)]
    assert {json.loads(one.body)["type"] for one in got} == {"message.status"}
    assert len({data(one)["message"] for one in got}) == 3
    assert len({one.id for one in got}) == 3
    assert all(one.signed_with(webhook.secret) for one in got)


async def test_unwanted_events_are_not_looked_for_each_time(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    await gateway.endpoint(customer.url(), types=["message.inbound"], batched=False)
    for _ in range(5):
        await gateway.happen(500)
    await gateway.rest()
    assert gateway.store.cut_calls == 1
    clock.move(1)
    await gateway.store.cut(2)
    await gateway.rest()
    assert customer.waiting() == 0


async def test_only_wanted_types_come(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    await gateway.endpoint(customer.url(), types=["message.inbound"])
    await gateway.happen(2)
    await gateway.reply()
    clock.move(1)
    got = await customer.next()
    assert json.loads(got.body)["type"] == "message.inbound"
    assert data(got)["text"] == "STOP"
    await gateway.store.settled(1)
    assert customer.waiting() == 0


async def test_two_signatures_while_a_secret_rotates(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    old, new = new_secret(), new_secret()
    until = clock() + 3600 * SECOND
    await gateway.endpoint(customer.url(), secret=new, old_secret=old, old_secret_until=until)
    await gateway.happen(500)
    got = await customer.next()
    assert len(got.signatures) == 2
    assert got.signed_with(new)
    assert got.signed_with(old)
    clock.move(3600)
    await gateway.happen(500)
    got = await customer.next()
    assert len(got.signatures) == 1
    assert got.signed_with(new)


async def test_a_failure_is_repeated_up_the_ladder(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    webhook = await gateway.endpoint(customer.url())
    customer.otherwise["/hook"] = 500
    await gateway.happen(500)
    first = await customer.next()
    rungs = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    for tries, rung in enumerate(rungs, start=1):
        result = await gateway.store.settled(tries)
        assert result.state is DeliveryState.PENDING
        pause = (result.next_at - result.at) / SECOND
        assert rung <= pause <= rung * 1.1
        clock.move(pause - 2)
        await gateway.rest()
        clock.move(2)
        again = await customer.next()
        assert again.timestamp == clock() // SECOND  # and not two seconds before
        assert (again.id, again.body) == (first.id, first.body)
        assert again.signed_with(webhook.secret)  # anew, for the time of this try
    result = await gateway.store.settled(10)
    assert (result.state, result.error) == (DeliveryState.DEAD, "HTTP 500")
    assert gateway.metric(WEBHOOK_DEAD, "shop") == 1
    assert gateway.metric(WEBHOOK_POSTS, "shop", "server_error") == 10
    assert gateway.metric(WEBHOOK_EVENTS, "shop", "message.status") == 0


async def test_retry_after_is_obeyed_by_the_whole_endpoint(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "120"})

    await gateway.endpoint(customer.url())
    customer.script["/hook"].append(busy)
    await gateway.happen(500)
    first = await customer.next()
    result = await gateway.store.settled(1)
    assert 120 <= (result.next_at - result.at) / SECOND <= 132
    await gateway.happen(500)
    clock.move(119)
    await gateway.rest()
    clock.move(13.1)
    got = [await customer.next() for _ in range(2)]
    assert first.id in {one.id for one in got}
    assert {one.timestamp for one in got} == {clock() // SECOND}


async def test_410_disables_the_endpoint(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    webhook = await gateway.endpoint(customer.url())
    customer.otherwise["/hook"] = 410
    await gateway.happen(500)
    await customer.next()
    assert (await gateway.store.settled(1)).state is DeliveryState.DEAD
    await gateway.happen(500)
    clock.move(90_000)
    await gateway.rest()
    await gateway.stop()
    await gateway.start()
    assert customer.waiting() == 0
    (known,) = await gateway.store.webhooks("shop")
    assert known.state == "disabled"
    assert (await gateway.deliveries(webhook))[0].last_status == 410
    customer.otherwise["/hook"] = 200
    known.state = "active"
    await gateway.put(known)
    assert len(data(await customer.next())) == 500  # what happened meanwhile was kept


async def test_a_restart_in_the_middle_sends_the_same_octets_under_the_same_id(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    await gateway.endpoint(customer.url())
    customer.script["/hook"].append(500)
    await gateway.happen(500)
    first = await customer.next()
    await gateway.store.settled(1)
    await gateway.stop()
    clock.move(6)
    await gateway.start()
    again = await customer.next()
    assert (again.id, again.body) == (first.id, first.body)
    await gateway.happen(500)
    assert (await customer.next()).id != first.id


async def test_a_restart_does_not_hurry_a_retry(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    await gateway.endpoint(customer.url())
    customer.script["/hook"].append(500)
    await gateway.happen(500)
    first = await customer.next()
    due = (await gateway.store.settled(1)).next_at
    await gateway.stop()
    await gateway.start()
    gateway.events.changed("shop")
    await gateway.rest()
    clock.move(4)
    await gateway.rest()
    clock.move((due - clock()) / SECOND)
    again = await customer.next()
    assert (again.id, again.timestamp) == (first.id, clock() // SECOND)


async def test_what_was_under_way_at_a_stop_goes_out_again(
    gateway: Gateway, customer: Customer
) -> None:
    async def never(request: web.Request) -> web.Response:
        await gateway.events.drain(0.05)
        return web.Response()

    webhook = await gateway.endpoint(customer.url())
    customer.script["/hook"].append(never)
    await gateway.happen(500)
    first = await customer.next()
    await gateway.stop(0.05)
    await gateway.start()
    again = await customer.next()
    assert (again.id, again.body) == (first.id, first.body)
    await gateway.store.settled(1)
    assert [one.state for one in await gateway.deliveries(webhook)] == [DeliveryState.DELIVERED]


async def test_a_dead_customer_stalls_nobody(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    dead = await gateway.endpoint(customer.url("/dead"), "dead")
    await gateway.endpoint(customer.url("/well"), "well")
    customer.otherwise["/dead"] = 500
    for _ in range(20):
        await gateway.happen(500, "dead")
        await gateway.happen(500, "well")
    ids = {(await customer.next("/well")).id for _ in range(20)}
    assert len(ids) == 20
    # The dead one's events stay in the log, but for what was cut before it was known to fail.
    cut = await gateway.deliveries(dead)
    assert 1 <= len(cut) <= 8
    # A probe shows that it is back, and the log flows, hours before the retries are due.
    customer.otherwise["/dead"] = 200
    clock.move(4)
    for _ in range(20 - len(cut)):
        await customer.next("/dead")


async def test_new_deliveries_are_probes_while_an_endpoint_fails(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    gateway.settings["concurrency"] = 1
    await gateway.stop()
    await gateway.start()
    webhook = await gateway.endpoint(customer.url())
    customer.otherwise["/hook"] = 500
    await gateway.happen(500)
    ids = [(await customer.next()).id]
    await gateway.store.settled(1)
    for _ in range(6):
        await gateway.happen(500)
    for tries, pause in enumerate((1, 2), start=2):  # retries are not due before 5 s
        clock.move(pause - 0.001)
        await gateway.rest()
        clock.move(0.001)
        probe = await customer.next()
        assert probe.timestamp == clock() // SECOND  # it would be one less for one too early
        ids.append(probe.id)
        await gateway.store.settled(tries)
    assert len(set(ids)) == 3
    await gateway.rest()
    assert len(await gateway.deliveries(webhook)) == 3  # the other four are in the log


async def test_a_large_replay_and_news_come_side_by_side(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    webhook = await gateway.endpoint(customer.url(), batched=False)
    await gateway.happen(100)
    ids = {(await customer.next()).id for _ in range(100)}
    await gateway.store.settled(100)
    every = [one.id for one in await gateway.deliveries(webhook)]
    assert await gateway.store.replay(webhook.id, clock(), ids=every) == 100
    await gateway.happen(20)
    gateway.events.changed("shop")
    again = [(await customer.next()).id for _ in range(120)]
    assert len(set(again)) == 120
    assert ids < set(again)


async def test_replay_sends_dead_deliveries_again(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    webhook = await gateway.endpoint(customer.url())
    customer.script["/hook"].append(410)
    await gateway.happen(500)
    first = await customer.next()
    result = await gateway.store.settled(1)
    assert result.state is DeliveryState.DEAD
    await gateway.stop()  # lets it disable the endpoint
    await gateway.start()
    await gateway.put(webhook)
    assert await gateway.store.replay(webhook.id, clock(), ids=[result.id]) == 1
    gateway.events.changed("shop")
    again = await customer.next()
    assert (again.id, again.body) == (first.id, first.body)


async def test_a_result_the_store_could_not_take_is_kept_and_not_posted_again(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    webhook = await gateway.endpoint(customer.url())
    gateway.store.broken = True
    await gateway.happen(500)
    await customer.next()
    await asyncio.wait_for(gateway.store.refused.wait(), PATIENCE)
    gateway.store.broken = False
    gateway.events.changed()
    await gateway.events.apply(())
    clock.move(1)
    assert (await gateway.store.settled(1)).state is DeliveryState.DELIVERED
    assert customer.waiting() == 0
    assert [one.attempts for one in await gateway.deliveries(webhook)] == [1]


async def test_only_its_owner_lifts_a_pause_the_endpoint_asked_for(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "3600"})

    await gateway.endpoint(customer.url())
    customer.script["/hook"].append(busy)
    await gateway.happen(500)
    await customer.next()
    await gateway.store.settled(1)
    clock.move(60)
    await gateway.happen(500)
    gateway.events.changed("other")
    await gateway.events.apply(())
    clock.move(60)
    await gateway.rest()
    assert customer.waiting() == 0
    gateway.events.changed("shop")
    await customer.next()


async def test_results_are_settled_in_lists(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    webhook = await gateway.endpoint(customer.url(), batched=False)
    await gateway.happen(200)
    ids = {(await customer.next()).id for _ in range(200)}
    await gateway.store.settled(200)
    assert len(ids) == 200
    assert gateway.store.settle_calls < 150
    assert all(one.attempts == 1 for one in await gateway.deliveries(webhook))


async def test_accounts_without_endpoints_cost_no_store_call(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    await gateway.endpoint(customer.url(), "other")
    before = gateway.store.cut_calls
    await gateway.happen(500, "shop")
    clock.move(2)
    await gateway.reply("shop")
    clock.move(2)
    await gateway.rest()
    assert gateway.store.cut_calls == before == 1
