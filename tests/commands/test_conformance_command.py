"""`aldis conformance` at a terminal: exit codes, files, and what it never prints."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.smsc import Behaviour, SimulatedSmsc
from config.load import load
from gateway.cli import main
from gateway.commands.conformance.plan import PLAN
from protocol import constants as c
from tests.commands.conformance import NUMBER, PASSWORD
from tests.commands.test_conformance import CAREFUL

pytestmark = pytest.mark.slow


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "conformance", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"SMSC_PASSWORD": PASSWORD},
    )  # fmt: skip


def given(port: int, *more: str) -> tuple[str, ...]:
    return (
        f"127.0.0.1:{port}", "--system-id", "aldis", "--password-env", "SMSC_PASSWORD",
        "--timeout", "2s", "--rate", "500", *more,
    )  # fmt: skip


async def test_a_whole_run_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "carrier.toml"
    async with SimulatedSmsc(Behaviour(**CAREFUL)) as smsc:
        process = await start(
            *given(smsc.port, "--to", f"+{NUMBER}", "--format", "json"), "--profile", str(file)
        )
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    found = json.loads(out)
    assert [step["name"] for step in found["steps"]] == [step.name for step in PLAN]
    assert found["to"] == ["4670****001"]
    assert PASSWORD not in out.decode() and PASSWORD not in file.read_text()
    (carrier,) = load(file, {"SMSC_PASSWORD": PASSWORD}).carrier
    assert carrier.password == PASSWORD
    assert carrier.hosts == (found["peer"],)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (CAREFUL, 0),
        (CAREFUL | {"credentials": {}}, 1),  # takes any password
        ({"refuse_bind": c.ESME_RINVPASWD}, 3),
    ],
)
async def test_exit_codes(behaviour: dict[str, object], code: int, tmp_path: Path) -> None:
    file = tmp_path / "carrier.toml"
    async with SimulatedSmsc(Behaviour(**behaviour)) as smsc:  # type: ignore[arg-type]
        process = await start(*given(smsc.port, "--profile", str(file)))
        out, _ = await process.communicate()
    assert process.returncode == code, out.decode()
    assert file.exists() == (code != 3)


async def test_ctrl_c_unbinds_and_prints_what_there_is() -> None:
    async with SimulatedSmsc(Behaviour(**CAREFUL, receipts={}), record=True) as smsc:
        process = await start(*given(smsc.port, "--to", NUMBER, "--receipt-wait", "5m"))
        await smsc.until(lambda: any(s.pdu.registered_delivery for s in smsc.submits))
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        assert not smsc.sessions
    assert process.returncode == 130
    assert err == b""
    assert b"text-gsm" in out and b"Interrupted: this is what was found so far." in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["host-without-port"], "is not HOST:PORT"),
        (["[::1]:99999"], "is not HOST:PORT"),
        (["h:1"], "give --password or --password-env"),
        (["h:1", "--password", "a", "--password-env", "B"], "one of them"),
        (["h:1", "--password-env", "NO_SUCH_VARIABLE"], "no NO_SUCH_VARIABLE"),
        (["h:1", "--password", "secret-that-is-long"], "password"),
        (["h:1", "--password", "a", "--to", "0x12"], "not a number in digits"),
        (["h:1", "--password", "a", "--to", "1", "--from", "x" * 21], "source_addr"),
        (["h:1", "--password", "a", "--only", "text-gsm,nonsense"], "no step is called nonsense"),
        (["h:1", "--password", "a", "--timeout", "soon"], "is no duration"),
        (["h:1", "--password", "a", "--insecure"], "need --tls"),
    ],
)
def test_usage_is_explained(arguments: list[str], complaint: str) -> None:
    outcome = CliRunner().invoke(main, ["conformance", *arguments, "--system-id", "aldis"])
    assert outcome.exit_code == 2
    assert complaint in outcome.output
    assert "secret-that-is-long" not in outcome.output


def test_the_plan_and_the_limits_can_be_read_beforehand() -> None:
    outcome = CliRunner().invoke(main, ["conformance", "--plan"])
    assert outcome.exit_code == 0
    for step in PLAN:
        assert step.name in outcome.output and step.expects in outcome.output
    said = " ".join(CliRunner().invoke(main, ["conformance", "--help"]).output.split())
    for limit in (
        "PDUs sent at most. [default: 400",
        "taken at most. [default: 10m",
        "wrong password",
    ):
        assert limit in said
