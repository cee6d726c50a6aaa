"""The process as its operators know it: start, signals, reload, hostile peers, restarts."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from typing import Any

import pytest

from bench.smsc import Behaviour
from tests.whole.conftest import Rig

pytestmark = pytest.mark.slow

NUMBER = "+79161234567"


def bodies(rig: Rig) -> list[dict[str, Any]]:
    """Every event the endpoint kept."""
    events: list[dict[str, Any]] = []
    for body in rig.sink.bodies:
        envelope = json.loads(body)
        data = envelope["data"]
        events += [
            {"type": envelope["type"], **one}
            for one in (data if isinstance(data, list) else [data])
        ]
    return events


async def test_a_message_goes_all_the_way(rig: Rig) -> None:
    await rig.start()
    answer = await rig.post(NUMBER, "Ваш заказ готов 🎉" * 6, client_ref="order-1")
    await rig.sink.until(2)
    assert [event["status"] for event in bodies(rig)] == ["sent", "delivered"]
    assert rig.sink.signatures_bad == 0
    view = await rig.call("GET", f"/v1/messages/{answer['id']}")
    assert view["status"] == "delivered"
    assert view["client_ref"] == "order-1"
    assert len(view["part_list"]) == answer["parts"] == 2
    assert len(rig.north.submits) == 2
    assert rig.south.counters.submits == 0


async def test_replies_come_back_joined_and_linked(rig: Rig) -> None:
    await rig.start()
    answer = await rig.post(NUMBER)
    await rig.sink.until(2)
    rig.north.send_mo("79161234567", "2020", "Да, спасибо! " * 10)
    await rig.sink.until(3)
    [reply] = [event for event in bodies(rig) if event["type"] == "message.inbound"]
    assert reply["text"] == "Да, спасибо! " * 10
    assert reply["in_reply_to"] == answer["id"]
    listed = await rig.call("GET", "/v1/inbound")
    assert listed["data"][0]["text"] == reply["text"]


async def test_sigterm_waits_for_the_answers_on_the_wire(rig: Rig) -> None:
    rig.north.behaviour = Behaviour(latency=0.5)
    await rig.start()
    ids = [(await rig.post(f"+7916000{n:04d}"))["id"] for n in range(20)]
    await rig.north.until(lambda: rig.north.counters.submits == 20)
    rig.signal(signal.SIGTERM)
    assert await asyncio.wait_for(rig.gateway.ended(), 20) == 0
    await rig.start()
    for identifier in ids:
        view = await rig.call("GET", f"/v1/messages/{identifier}")
        assert view["status"] in ("sent", "delivered")
    assert rig.north.counters.submits == 20
    assert await rig.metric("aldis_possible_duplicates_total") == 0


async def test_sighup_touches_only_the_carrier_that_changed(rig: Rig) -> None:
    await rig.start()
    await rig.south.until(lambda: len(rig.south.binds) == 1)
    north, south = rig.north.binds[0], rig.south.binds[0]
    rig.write_config(south="system_type = 'NEW'")
    rig.signal(signal.SIGHUP)
    await rig.south.until(lambda: bool(rig.south.binds) and rig.south.binds[0] is not south)
    assert rig.north.binds == [north]
    await rig.post(NUMBER)
    await rig.sink.until(2)


async def test_tlvs_reach_the_operator_under_the_tags_it_gave_them(rig: Rig) -> None:
    rig.write_config(north='[carrier.tlvs.dlt_entity_id]\ntag = "0x1400"\nkind = "c-octet"')
    await rig.start()
    asked = [
        {"name": "dlt_entity_id", "value": "1101"},
        {"tag": "0x1FFF", "hex": "00ff"},
        {"name": "nobody_knows", "value": "x"},
    ]
    await rig.post(NUMBER, tlvs=asked)
    await rig.sink.until(2)
    (submit,) = rig.north.submits
    assert submit.pdu.tlvs == ((0x1400, b"1101\0"), (0x1FFF, b"\0\xff"))

    async def counted() -> bool:
        return await rig.metric("aldis_unknown_tlvs_total", 'carrier="north"') == 1

    await rig.until(counted)


async def test_a_profile_file_is_read_again_and_touches_its_carriers_only(rig: Rig) -> None:
    profile = rig.directory / "southern.toml"
    profile.write_text("binds = 1\n")
    rig.write_config(south='profile = "./southern.toml"')
    await rig.start()
    await rig.south.until(lambda: len(rig.south.binds) == 1)
    north = rig.north.binds[0]
    profile.write_text("binds = 2\n")
    rig.signal(signal.SIGHUP)
    await rig.south.until(lambda: len(rig.south.binds) == 2)
    assert rig.north.binds == [north]
    profile.write_text("\nbinds = 'many'\n")
    rig.signal(signal.SIGHUP)

    async def refused() -> bool:
        return f"{profile}:2: `binds`: expected `int`" in rig.log.read_text()

    await rig.until(refused)
    assert len(rig.south.binds) == 2


async def test_a_configuration_with_an_error_is_refused_and_traffic_goes_on(rig: Rig) -> None:
    await rig.start()
    rig.write_config(north="windwo = 5")
    rig.signal(signal.SIGHUP)

    async def refused() -> bool:
        return "did you mean `window`?" in rig.log.read_text()

    await rig.until(refused)
    await rig.post(NUMBER)
    await rig.sink.until(2)


async def test_a_new_route_and_account_take_effect(rig: Rig) -> None:
    await rig.start()
    rig.write_config(
        extra="[[route]]\nname = 'special'\nprefixes = ['7999']\ncarriers = ['south']\n"
    )
    rig.signal(signal.SIGHUP)

    async def applied() -> bool:
        return "configuration applied" in rig.log.read_text()

    await rig.until(applied)
    await rig.post("+79991234567")
    await rig.sink.until(2)
    assert rig.south.counters.submits == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x00\x00\x08\x00\x00\x00\x04",
        b"\xff\xff\xff\xff\x80\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01",
        bytes(64),
    ],
)
async def test_garbage_on_the_link_costs_one_link(rig: Rig, garbage: bytes) -> None:
    await rig.start()
    rig.north.binds[0].send_octets(garbage)
    await rig.north.until(lambda: not rig.north.binds)
    await rig.north.until(lambda: bool(rig.north.binds))
    await rig.post(NUMBER)
    await rig.sink.until(2)
    assert rig.sink.statuses["delivered"] == 1


async def test_malformed_requests_of_the_operator_keep_the_link(rig: Rig) -> None:
    await rig.start()
    [bind] = rig.north.binds
    # deliver_sm that ends inside source_addr; an unknown command; a response to nothing.
    bind.send_octets(bytes.fromhex("00000014000000050000000000000009" + "00010137"))
    bind.send_octets(bytes.fromhex("000000100000011000000000" + "0000000a"))
    bind.send_octets(bytes.fromhex("000000108000000400000000" + "00ffffff"))
    await rig.post(NUMBER)
    await rig.sink.until(2)
    assert rig.north.binds == [bind]

    async def counted() -> bool:
        return await rig.metric("aldis_malformed_pdus_total") >= 1

    await rig.until(counted)


async def test_a_dead_carrier_fails_over_and_comes_back(rig: Rig) -> None:
    await rig.start()
    await rig.north.stop()
    await rig.post(NUMBER)
    await rig.sink.until(2)
    assert rig.south.counters.submits == 1
    await rig.north.start()
    await rig.north.until(lambda: bool(rig.north.binds))

    async def north_again() -> bool:
        before = rig.north.counters.submits
        await rig.post(NUMBER)
        await asyncio.sleep(0.05)
        return rig.north.counters.submits > before

    await rig.until(north_again)


async def test_a_dead_endpoint_loses_nothing(rig: Rig) -> None:
    await rig.start()
    await rig.sink.stop()
    answer = await rig.post(NUMBER)

    async def delivered() -> bool:
        view = await rig.call("GET", f"/v1/messages/{answer['id']}")
        return bool(view["status"] == "delivered")

    await rig.until(delivered)
    rig.signal(signal.SIGTERM)
    await rig.gateway.ended()
    await rig.sink.start()
    await rig.start()
    await rig.sink.until(2, timeout=20)
    assert rig.sink.statuses["delivered"] == 1


async def test_schedules_and_pauses_hold_across_a_restart(rig: Rig) -> None:
    await rig.start()
    batch = await rig.call(
        "POST",
        "/v1/batches",
        202,
        json={
            "from": "ACME",
            "text": "Hi {{name}}",
            "start": False,
            "recipients": [{"to": f"+7916000{n:04d}", "vars": {"name": "A"}} for n in range(50)],
        },
    )
    assert batch["status"] == "draft"
    rig.signal(signal.SIGTERM)
    await rig.gateway.ended()
    await rig.start()
    await rig.post(NUMBER)
    await rig.sink.until(2)
    assert rig.north.counters.submits == 1
    await rig.call("POST", f"/v1/batches/{batch['id']}/start")
    await rig.sink.until(2 + 100 + 1)
    assert rig.sink.types["batch.finished"] == 1
    stats = await rig.call("GET", f"/v1/batches/{batch['id']}/stats")
    assert stats["statuses"]["delivered"] == 50


async def test_one_process_to_a_store(rig: Rig) -> None:
    await rig.start()
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "serve", f"--config={rig.config}",
        stderr=subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode == 3
    assert b"in use by another process" in said
    await rig.post(NUMBER)
    await rig.sink.until(2)


async def test_a_store_of_a_newer_version_is_left_alone(rig: Rig) -> None:
    with sqlite3.connect(rig.directory / "aldis.db") as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    before = (rig.directory / "aldis.db").read_bytes()
    await rig.gateway.start()
    assert await asyncio.wait_for(rig.gateway.ended(), 20) == 3
    assert "run the newer version" in rig.log.read_text()
    assert (rig.directory / "aldis.db").read_bytes() == before


async def test_no_number_and_no_text_in_the_log(rig: Rig) -> None:
    rig.north.behaviour = Behaviour(errors={0x0B: 1.0})
    await rig.start()
    await rig.post(NUMBER, "very secret text")
    await rig.sink.until(1)
    rig.north.hang_up()
    rig.signal(signal.SIGTERM)
    await rig.gateway.ended()
    log = rig.log.read_text()
    assert "79161234567" not in log
    assert "secret text" not in log
    assert "ak_whole" not in log
