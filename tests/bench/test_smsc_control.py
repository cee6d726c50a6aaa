"""The operator seen and directed from another process, and its limits as plain arithmetic."""

import asyncio
import shutil
import ssl
import subprocess
from random import Random

import msgspec
import pytest

from bench.processes import Smsc, get_json, request
from bench.smsc import Audit, Behaviour, SimulatedSmsc
from bench.smsc.control import control
from bench.smsc.verdict import Bucket
from protocol import constants as c
from tests.bench.conftest import Connect, Esme, Start, submit


async def test_statistics_and_behaviour_over_http(start: Start) -> None:
    smsc, esme = await start()
    web = control(smsc)
    await web.start()
    try:
        await esme.ask(submit())
        stats = await get_json(web.port, "/stats")
        assert (stats["submits"], stats["accepted"], stats["bound"]) == (1, 1, 1)
        status, body = await request(web.port, "PUT", "/behaviour", b'{"errors": {"8": 1.0}}')
        assert status == 200
        assert msgspec.json.decode(body)["errors"] == {"8": 1.0}
        assert smsc.behaviour == Behaviour(errors={8: 1.0})
        status, body = await request(web.port, "PUT", "/behaviour", b'{"silence": 2.0}')
        assert (status, body.startswith(b"silence")) == (400, True)
        assert (await request(web.port, "PUT", "/behaviour", b'{"wisdom": 1}'))[0] == 400
        assert (await request(web.port, "GET", "/elsewhere"))[0] == 404
        assert (await request(web.port, "POST", "/hang-up"))[0] == 204
        await smsc.until(lambda: not smsc.sessions)
    finally:
        await web.stop()


async def test_the_audit_counts_per_destination(connect: Connect) -> None:
    async with SimulatedSmsc(Behaviour(receipts={}), audit=Audit("0", limit=2)) as smsc:
        esme = await connect(smsc)
        await esme.bind()
        for destination in ("10", "11", "10", "20", "30"):
            await esme.ask(submit(destination))
        assert smsc.audit is not None
        lines = [line.split() for line in smsc.audit.lines().splitlines()]
        assert [line[:2] for line in lines] == [[b"10", b"2"], [b"20", b"1"]]
        assert smsc.counters.not_recorded == 1


async def test_as_a_process_of_its_own() -> None:
    async with Smsc("--errors=0x58=1.0", "--audit", "--receipts=DELIVRD=0.5,UNDELIV=0.5") as smsc:
        behaviour = await get_json(smsc.stats_port, "/behaviour")
        assert behaviour["errors"] == {"88": 1.0}
        assert behaviour["receipts"] == {"DELIVRD": 0.5, "UNDELIV": 0.5}
        assert (await get_json(smsc.stats_port, "/stats"))["cpu"] > 0
        assert await request(smsc.stats_port, "GET", "/audit") == (200, b"")
    assert not smsc.running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = str(directory / "smsc.pem"), str(directory / "smsc.key")
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=smsc"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-out", certificate, "-keyout", key]
    command = ["openssl", "req", *options.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


async def test_tls(certificate: tuple[str, str]) -> None:
    async with Smsc("--tls", *certificate) as smsc:
        trust = ssl.create_default_context(cafile=certificate[0])
        esme = Esme(*await asyncio.open_connection("127.0.0.1", smsc.port, ssl=trust))
        assert (await esme.bind()).command_status == c.ESME_ROK
        assert (await esme.ask(submit())).command_status == c.ESME_ROK
        assert (await esme.receipt()).source_addr == "46700000001"
        esme.writer.close()


def test_a_behaviour_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="together"):
        Behaviour(errors={c.ESME_RSYSERR: 0.7, c.ESME_RTHROTTLED: 0.7})
    with pytest.raises(ValueError, match="DELIVERED"):
        Behaviour(receipts={"DELIVERED": 1.0})
    with pytest.raises(ValueError, match="deliver_window"):
        Behaviour(deliver_window=0)


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket()
    dice = Random(7)
    assert bucket.take(100, 10, 5, 0.0) == 5
    assert bucket.take(100, 10, 5, 0.05) == 0
    assert bucket.take(100, 10, 5, 0.1) == 1
    assert bucket.take(3, 10, 5, 60.0) == 3
    assert bucket.take(100, 10, 5, 60.0) == 2
    taken, now = 0, 60.0
    while now < 160.0:
        taken += bucket.take(dice.randrange(20), 10, 5, now)
        now += dice.random() / 10
    assert taken == pytest.approx(1000, abs=2)
