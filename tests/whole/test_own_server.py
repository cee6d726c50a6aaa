"""The gateway's own SMPP server under the acceptance plan, and captured meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.load.site import free_port
from gateway.commands.conformance import report as reports
from gateway.commands.conformance.run import conduct
from tests.commands.conformance import asked, failed, result
from tests.whole.conftest import Rig
from tests.whole.test_capture import capturing, tshark

pytestmark = pytest.mark.slow

PASSWORD = "s3cr3t!"
NUMBER = "79161234567"


def with_smpp(rig: Rig) -> int:
    """Give the gateway an SMPP port and the account a login; the port."""
    port = free_port()
    rig.write_config(extra=f"[[smpp]]\nport = {port}\n")
    text = rig.config.read_text("utf-8")
    login = f'smpp = [{{ system_id = "shop", password = "{PASSWORD}" }}]\n'
    rig.config.write_text(text.replace('name = "shop"\n', f'name = "shop"\n{login}'), "utf-8")
    return port


async def test_our_own_server_passes_our_own_plan(rig: Rig, tmp_path: Path) -> None:
    port = with_smpp(rig)
    await rig.start()
    file = tmp_path / "shop.pcap"
    wishes = asked(
        port, system_id="shop", password=PASSWORD, senders=("ACME",), to=(NUMBER,),
        rate=100.0, timeout=5.0, receipt_wait=10.0,
    )  # fmt: skip
    async with capturing(rig, file, "--account", "shop", "--seconds", "600"):
        report = await conduct(wishes)

        async def all_there() -> bool:
            commands = await tshark(file, port, "-T", "fields", "-e", "smpp.command_id")
            return commands.count("0x80000006") >= 4  # unbind_resp: three binds tried, one used

        await rig.until(all_there)
    assert failed(report) == [], reports.table(report)
    for step, seen in (
        ("bind-wrong-password", "ESME_RINVPASWD"),
        ("bind-twice", "ESME_RALYBND"),
        ("submit-before-bind", "ESME_RINVBNDSTS"),
        ("no-destination", "ESME_RINVDSTADR"),
        ("query-sm", "accepted: SCHEDULED"),
        ("replace-sm", "accepted"),
        ("cancel-sm", "accepted"),
    ):
        assert result(report, step).seen == seen
    assert result(report, "receipts").outcome == "passed"
    assert result(report, "receipt-id").seen == "the same in both"

    octets = file.read_bytes()
    assert b"79160000067" in octets
    assert b"stat:DELIVRD" in octets
    for secret in (NUMBER.encode(), b"Aldis test", PASSWORD.encode()):
        assert secret not in octets
