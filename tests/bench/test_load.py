"""The parts of the load bench that can be held to something without a whole gateway."""

import json
from collections.abc import Coroutine
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from bench.load import messages
from bench.load.batch import submit_delays
from bench.load.cli import command
from bench.load.client import Caller
from bench.load.report import percentiles, report
from bench.load.site import KEY, Site, SiteSettings, configuration
from bench.load.smpp_site import smpp_toml
from bench.micro import cost, measure
from bench.processes import Child, cpu_seconds, memory
from bench.web import Request, Response, WebServer
from config.load import loads
from gateway.admission.numbering import Numbering
from gateway.ingress.http.shapes import BatchRequest, MessageRequest
from protocol.segment import count_only


def test_numbers_are_distinct_scattered_mobiles() -> None:
    numbers = [messages.number(index) for index in range(0, 40_000_000, 997)]
    assert len({*numbers}) == len(numbers)
    assert numbers != sorted(numbers)
    look = Numbering().look
    assert {look(number, None)[2] for number in numbers[::10]} == {None}


@pytest.mark.parametrize("name", messages.TEXTS)
def test_bodies_are_what_the_api_takes(name: tuple[str, str]) -> None:
    text = messages.TEXTS[name]
    body = messages.batch(5, 3, text, category="advertising")
    batch = msgspec.json.decode(body, type=BatchRequest)
    assert [recipient.to for recipient in batch.recipients] == [
        messages.number(index) for index in (5, 6, 7)
    ]
    assert bool(batch.recipients[0].vars) == ("{{" in text)
    assert count_only(text)[:2] == (name[1], 3 if name[0] == "long" else 1)
    single = messages.single(5, text, category="transactional", priority="high")
    assert msgspec.json.decode(single, type=MessageRequest).priority == "high"


def test_the_configuration_is_one_the_gateway_takes(tmp_path: Path) -> None:
    settings = SiteSettings(window=50, rate=30.0, extra="\n[gateway]\nnode = 7\n")
    text = configuration(
        settings,
        http=8001,
        ops=8002,
        smsc=8003,
        sink=8004,
        secret="whsec_" + "A" * 44,
        store=tmp_path / "aldis.db",
    )
    found = loads(text, {}, name="bench.toml", directory=tmp_path)
    assert found.carrier[0].hosts == ("127.0.0.1:8003",)
    assert (found.carrier[0].window, found.carrier[0].rate) == (50, 30.0)
    assert found.gateway.node == 7
    assert found.store.synchronous == "FULL"
    assert found.account[0].keys[0].hash is not None


def test_the_configuration_for_smpp_customers_is_one_too(tmp_path: Path) -> None:
    text = configuration(
        SiteSettings(extra=smpp_toml(8005, logins=6, accounts=3, max_binds=7)),
        http=8001,
        ops=8002,
        smsc=8003,
        sink=8004,
        secret="whsec_" + "A" * 44,
        store=tmp_path / "aldis.db",
    )
    found = loads(text, {}, name="bench.toml", directory=tmp_path)
    assert found.smpp[0].port == 8005
    logins = {one.name: [each.system_id for each in one.smpp] for one in found.account[1:]}
    assert logins == {
        "customer0": ["esme0", "esme3"],
        "customer1": ["esme1", "esme4"],
        "customer2": ["esme2", "esme5"],
    }
    assert found.account[1].smpp[0].max_binds == 7


def test_percentiles() -> None:
    assert percentiles([]) == {}
    assert percentiles([n / 1000 for n in range(100)]) == {
        "p50": 50.0,
        "p95": 95.0,
        "p99": 99.0,
        "max": 99.0,
    }


def test_delays_are_counted_from_the_posts_beginning() -> None:
    submitted = {messages.number(n)[1:]: (1, 10.0 + n) for n in (0, 3)}
    delays = submit_delays(submitted, {0: 9.0, 2: 12.5}, [(0, 2), (2, 2)])
    assert delays == [1.0, 0.5]


def test_a_report_names_machine_and_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report("trial", {"count": 3}, {"per_second": 1234567, "ms": {"p50": 0.5}}, tmp_path)
    assert "1,234,567" in capsys.readouterr().out
    (path,) = tmp_path.iterdir()
    content = json.loads(path.read_text())
    assert path.name == f"{content['at'][:10]}-trial.json"
    assert content["settings"] == {"count": 3}
    assert content["figures"]["per_second"] == 1234567
    assert {"cpu", "cores", "python", "sqlite"} <= content["machine"].keys()


async def test_a_caller_posts_again_and_again_and_notices_a_hang_up() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(202, b"x" * len(seen) * 100_000)

    web = WebServer(answer)
    await web.start()
    caller = Caller(web.port, KEY)
    await caller.connect()
    for n in (1, 2):
        assert await caller.post("/v1/batches", b"{}", f"key-{n}") == (202, b"x" * n * 100_000)
    assert seen[1].headers["authorization"] == f"Bearer {KEY}"
    assert seen[1].headers["idempotency-key"] == '"key-2"'
    await web.stop()
    with pytest.raises(ConnectionError):
        await caller.post("/v1/batches", b"{}")


async def test_a_child_is_measured_and_killed(tmp_path: Path) -> None:
    busy = "import time; t = time.process_time\nwhile t() < 0.1: pass\nprint('done', flush=True)"
    async with Child(["-c", busy + "\ninput()"], log=tmp_path / "log") as child:
        assert await child.line() == b"done\n"
        assert 0.05 < cpu_seconds(child.pid) < 5
        assert 1 << 20 < memory(child.pid)["rss"] <= memory(child.pid)["peak"]
        child.kill()
        assert await child.ended() == -9
        assert not child.running


async def test_a_site_that_cannot_start_leaves_nothing_behind() -> None:
    site = Site(SiteSettings(extra="nonsense = true"))
    with pytest.raises(RuntimeError, match="ended while starting"):
        async with site:
            raise AssertionError("not reached")
    assert not site.smsc.running
    assert not site.sink.running
    assert not site.directory.exists()


def test_micro_measures_every_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.micro._RUNS", 1)
    monkeypatch.setattr("bench.micro._RUN_SECONDS", 0.0)
    figures = measure()
    assert len(figures) > 15
    assert all(0 < value < 1e5 for value in figures.values())


def test_a_call_that_times_itself_is_believed() -> None:
    assert cost(lambda: 0.25) == pytest.approx(0.25)


def test_all_runs_every_scenario_with_its_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, dict[str, object]] = {}

    def run(coroutine: Coroutine[object, object, object]) -> dict[str, object]:
        coroutine.close()
        return {"passed": True}

    def note(scenario: str, settings: dict[str, object], *_: object) -> None:
        seen[scenario] = settings

    monkeypatch.setattr("bench.load.cli.uvloop.run", run)
    monkeypatch.setattr("bench.load.cli.report", note)
    result = CliRunner().invoke(command, ["all"], catch_exceptions=False)
    assert result.exit_code == 0
    assert list(seen) == [
        *("batch", "single", "otp", "backlog", "kill", "policy"),
        *("smpp-fixed", "smpp-templated", "smpp-fixed-200-binds-200-logins", "idle", "storm"),
    ]
    assert seen["smpp-fixed"]["window"] == 1_000
    assert seen["smpp-fixed-200-binds-200-logins"]["window"] == 50
    assert seen["backlog"]["messages"] == 1_000_000
    assert seen["otp"]["bulk"] == 500_000
