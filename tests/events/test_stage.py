"""Endpoints come, change and go."""

from __future__ import annotations

import asyncio
import json
import logging

from aiohttp import web

from config.settings import Account, WebhookEndpoint
from gateway.events.sign import new_secret
from gateway.metrics import WEBHOOK_POSTS

from .conftest import PATIENCE, Customer, Gateway, MovedClock


def configured(*urls: str, secret: str = new_secret()) -> Account:
    hooks = tuple(WebhookEndpoint(url=url, secret=secret) for url in urls)
    return Account(name="shop", webhooks=hooks)


async def test_configured_endpoints_are_served_until_they_vanish(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    await gateway.events.apply([configured(customer.url("/a"), customer.url("/b"))])
    await gateway.happen(500)
    await customer.next("/a")
    await customer.next("/b")
    await gateway.events.apply([configured(customer.url("/b"))])
    assert [one.url for one in await gateway.store.webhooks()] == [customer.url("/b")]
    await gateway.happen(500)
    await customer.next("/b")
    clock.move(10)
    assert customer.waiting("/a") == 0


async def test_an_endpoint_keeps_its_place_over_a_restart(
    gateway: Gateway, customer: Customer
) -> None:
    account = configured(customer.url())
    await gateway.events.apply([account])
    await gateway.stop()
    await gateway.start()
    await gateway.happen(500)
    await gateway.events.apply([account])
    assert len(json.loads((await customer.next()).body)["data"]) == 500
    await gateway.store.settled(1)
    assert customer.waiting() == 0


async def test_the_api_changes_an_endpoint(gateway: Gateway, customer: Customer) -> None:
    webhook = await gateway.endpoint(customer.url("/old"))
    webhook.url = customer.url("/new")
    await gateway.store.put_webhook(webhook)
    gateway.events.changed()
    await gateway.events.apply(())  # what `changed` set off has been done before this returns
    await gateway.happen(500)
    await customer.next("/new")
    assert customer.waiting("/old") == 0


async def test_a_deleted_endpoint_gets_nothing_more(
    gateway: Gateway, customer: Customer, clock: MovedClock
) -> None:
    customer.otherwise["/hook"] = 500
    webhook = await gateway.endpoint(customer.url())
    await gateway.happen(500)
    await customer.next()
    await gateway.store.delete_webhook(webhook.id)
    await gateway.events.apply(())
    await gateway.happen(500)
    clock.move(1000)
    await gateway.rest()
    assert customer.waiting() == 0


async def test_a_test_event(gateway: Gateway, customer: Customer) -> None:
    webhook = await gateway.endpoint(customer.url(), state="disabled")
    result = await gateway.events.test(webhook.id)
    assert (result.status, result.error) == (200, "")
    assert 0 < result.seconds < PATIENCE
    got = await customer.next()
    assert got.signed_with(webhook.secret)
    assert json.loads(got.body)["type"] == "webhook.test"
    customer.script["/hook"].append(503)
    result = await gateway.events.test(webhook.id)
    assert (result.status, result.error) == (503, "HTTP 503")
    assert await gateway.deliveries(webhook) == []
    assert gateway.metric(WEBHOOK_POSTS, "shop", "ok") == 0


async def test_a_test_of_nothing(gateway: Gateway) -> None:
    result = await gateway.events.test(1)
    assert (result.status, result.error) == (0, "there is no such endpoint")


async def test_a_drain_waits_for_answers(gateway: Gateway, customer: Customer) -> None:
    asked, gate = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        asked.set()
        await gate.wait()
        return web.Response()

    await gateway.endpoint(customer.url())
    customer.otherwise["/hook"] = slow
    await gateway.happen(500)
    await asyncio.wait_for(asked.wait(), PATIENCE)
    drained = asyncio.create_task(gateway.events.drain(PATIENCE))
    gate.set()
    await drained
    assert [one.status for one in gateway.store.results] == [200]


async def test_the_log_tells_of_failure_and_recovery_by_host_alone(
    gateway: Gateway, customer: Customer, clock: MovedClock, caplog
) -> None:
    caplog.set_level(logging.INFO, "gateway.events")
    webhook = await gateway.endpoint(customer.url("/token-in-the-path"))
    customer.script["/token-in-the-path"].extend([500, 500, 200])
    await gateway.happen(500)
    for tries in (1, 2):
        result = await gateway.store.settled(tries)
        clock.move((result.next_at - result.at) / 1_000_000)
    await gateway.store.settled(3)
    assert [record.message for record in caplog.records] == ["webhook fails", "webhook recovered"]
    assert all(record.host == "127.0.0.1" for record in caplog.records)
    written = " ".join(str(record.__dict__) for record in caplog.records)
    assert "token-in-the-path" not in written
    assert webhook.secret not in written


async def test_private_targets_are_refused_unless_allowed(
    gateway: Gateway, customer: Customer
) -> None:
    gateway.settings["allow_private"] = False
    await gateway.stop()
    await gateway.start()
    await gateway.endpoint(customer.url())
    await gateway.happen(500)
    result = await gateway.store.settled(1)
    assert (result.status, result.error) == (
        0,
        "webhooks may not reach this network (loopback)",
    )
    assert customer.waiting() == 0
    assert gateway.metric(WEBHOOK_POSTS, "shop", "forbidden") == 1
