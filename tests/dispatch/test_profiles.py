"""The shipped profiles at work: a simulated operator of each kind takes what they send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.smsc import SimulatedSmsc
from config.load import PROFILES, load
from config.settings import Settings
from gateway.dispatch.profile import Profile
from gateway.model import Encoding, Status
from gateway.returns import Returns
from gateway.store.messages import Content, NewMessage, Submission, Tlv
from protocol import constants as c
from protocol import gsm7
from protocol.pdu import Pdu, SubmitSm
from tests.dispatch.conftest import Smsc, Start, World, utc_now

NUMBER = 919812345678
LONG = "På Åland: " + "0123456789" * 25
TLVS = {
    "in_dlt": (Tlv("dlt_entity_id", "1101456789012345678"), Tlv("dlt_template_id", "1107"),
               Tlv("dlt_telemarketer_id", "1202")),
    "us_10dlc": (Tlv("campaign_id", "C0FFEE1"),),
}  # fmt: skip


def configured(directory: Path, profile: str, port: int, more: str = "") -> Settings:
    """A gateway's file with one carrier of this profile, made quick for a test."""
    path = directory / "aldis.toml"
    path.write_text(
        f'[[carrier]]\nname = "op1"\nprofile = "{profile}"\nhosts = ["127.0.0.1:{port}"]\n'
        'system_id = "aldis"\npassword = "secret"\nreconnect_min = "20ms"\n'
        f'reconnect_max = "100ms"\n{more}\n'
        '[[route]]\nname = "main"\ncarriers = ["op1"]\n'
    )
    return load(path, {})


async def sent(world: World, text: str, *, tlvs: tuple[Tlv, ...] = (), parts: int = 1) -> int:
    """One message with TLVs on its way; its id."""
    now = utc_now()
    content, message = world.store.new_ids(2, now)
    what = Content(content, "acme", "ALDIS", text, "service", tlvs=tlvs)
    row = NewMessage(
        message, NUMBER, "main/bulk", Status.QUEUED, now, now + 3_600_000_000, parts, Encoding.GSM
    )
    await world.store.accept([Submission(what, [row])])
    return message


def submitted(smsc: SimulatedSmsc) -> list[SubmitSm]:
    return [submit.pdu for submit in smsc.submits]


@pytest.mark.parametrize("profile", sorted(file.stem for file in PROFILES.glob("*.toml")))
async def test_a_long_message_arrives_and_its_receipts_find_it(
    smsc: Smsc, start: Start, tmp_path: Path, profile: str
) -> None:
    form = "resp_hex_receipt_dec" if profile in ("awkward", "eu_direct") else "uuid"
    operator = await smsc(receipts={"DELIVRD": 1.0}, id_form=form, receipt_route="any")
    settings = configured(tmp_path, profile, operator.port)
    world = await start(settings)
    returns = Returns(world.store, world.metrics, utc_now)
    await returns.apply(settings.carrier, ())

    async def port(profile: Profile, pdus: list[Pdu]) -> list[int]:
        return await returns.take(profile.name, pdus)

    (running,) = world.dispatcher._carriers.values()
    running._deliveries._port = port
    message = await sent(world, LONG, tlvs=TLVS.get(profile, ()), parts=2)
    await world.store.sent(1)
    await operator.until(lambda: operator.undelivered == 0 and operator.counters.receipts > 0)
    (view,) = await world.store.messages(None, [message])
    assert view is not None
    assert view.status == Status.DELIVERED
    wanted = settings.carrier[0].tlvs
    for pdu in submitted(operator):
        tags = [tag for tag, _ in pdu.tlvs]
        assert {int(row.tag, 16) for row in wanted.values()} <= {*tags}


async def test_awkward_sends_latin1_in_sar_parts_over_a_pair(
    smsc: Smsc, start: Start, tmp_path: Path
) -> None:
    operator = await smsc(id_form="resp_hex_receipt_dec")
    world = await start(configured(tmp_path, "awkward", operator.port))
    await sent(world, LONG, parts=2)
    await world.store.sent(1)
    parts = submitted(operator)
    assert b"".join(pdu.short_message for pdu in parts) == LONG.encode("latin-1")
    assert {pdu.esm_class for pdu in parts} == {0}
    assert [pdu.tlv(0x020E) for pdu in parts] == [b"\2", b"\2"]
    assert [pdu.tlv(0x020F) for pdu in parts] == [b"\1", b"\2"]
    assert len({pdu.tlv(0x020C) for pdu in parts}) == 1
    assert {(pdu.data_coding, pdu.validity_period, pdu.source_addr_npi) for pdu in parts} == {
        (0, "", 1)
    }
    assert {bind.bound_by for bind in operator.binds} == {c.BIND_TRANSMITTER, c.BIND_RECEIVER}


async def test_an_aggregator_gets_a_long_text_whole(
    smsc: Smsc, start: Start, tmp_path: Path
) -> None:
    operator = await smsc()
    world = await start(configured(tmp_path, "aggregator", operator.port))
    await sent(world, LONG, parts=2)
    await world.store.sent(1)
    (pdu,) = submitted(operator)
    assert gsm7.decode(pdu.tlv(0x0424) or b"") == LONG


async def test_dlt_parts_carry_what_the_regulator_demands(
    smsc: Smsc, start: Start, tmp_path: Path
) -> None:
    operator = await smsc()
    more = '[carrier.tlvs.dlt_entity_id]\nvalue = "1101"\n'
    world = await start(configured(tmp_path, "in_dlt", operator.port, more))
    await sent(world, LONG, tlvs=TLVS["in_dlt"][1:], parts=2)
    await world.store.sent(1)
    for pdu in submitted(operator):
        assert [*pdu.tlvs] == [(0x1401, b"1107"), (0x1402, b"1202"), (0x1400, b"1101")]
    message = await sent(world, "Hello")
    await world.store.until(lambda: len(world.store.results) == 2)
    (view,) = await world.store.messages(None, [message])
    assert view is not None
    assert (view.status, view.reason) == (Status.FAILED, "missing_tlv")


async def test_a_profiles_statuses_are_in_force(smsc: Smsc, start: Start, tmp_path: Path) -> None:
    operator = await smsc(errors={c.ESME_RX_R_APPN: 1.0})
    world = await start(configured(tmp_path, "ru_direct", operator.port))
    await sent(world, "Привет")
    await world.store.until(lambda: bool(world.store.results))
    (result,) = world.store.results
    assert (result.status, result.reason) == (Status.REJECTED, "mass_mailing_refused")
    (pdu,) = submitted(operator)
    assert pdu.validity_period.endswith("+")


async def test_a_reload_rebinds_only_the_carriers_of_the_profile_that_changed(
    smsc: Smsc, start: Start, tmp_path: Path
) -> None:
    """What SIGHUP does: the file is read again, and profiles with it."""
    operators = [await smsc() for _ in range(4)]
    profiles = ("./north.toml", "./north.toml", "./south.toml", None)
    north, south, main = (tmp_path / f"{name}.toml" for name in ("north", "south", "main"))
    north.write_text('window = 7\nsystem_type = "A"\n')
    south.write_text("window = 7\n")
    main.write_text(
        "".join(
            f'[[carrier]]\nname = "op{place}"\nhosts = ["127.0.0.1:{operator.port}"]\n'
            + (f"profile = {json.dumps(profile)}\n" if profile else "")
            + 'system_id = "aldis"\npassword = "secret"\nreconnect_min = "20ms"\n'
            for place, (operator, profile) in enumerate(zip(operators, profiles, strict=True))
        )
    )
    world = await start(load(main, {}))
    for operator in operators:
        await operator.until(lambda it=operator: len(it.binds) == 1)
    before: list[Any] = [operator.binds[0] for operator in operators]

    await world.dispatcher.apply(load(main, {}))
    assert [operator.binds for operator in operators] == [[each] for each in before], "unchanged"

    north.write_text('window = 9\nsystem_type = "B"\n')
    await world.dispatcher.apply(load(main, {}))
    for operator in operators[:2]:
        await operator.until(lambda it=operator: it.counters.binds == 2)
    assert [operator.counters.binds for operator in operators] == [2, 2, 1, 1]
    assert [operator.binds for operator in operators[2:]] == [[each] for each in before[2:]]
    windows = {status.name: status.window for status in world.dispatcher.status() if status.bound}
    assert {windows.get("op2"), windows.get("op3")} == {7, 10}
    assert windows.get("op0", 9) == windows.get("op1", 9) == 9
