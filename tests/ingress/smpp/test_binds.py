"""Who may bind, how often, from where; what a refused bind hears and costs."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from bench.smsc import Behaviour
from config.settings import SmppLogin, SmppPort, SmppTls
from gateway.ingress.smpp import logins, server, slowing
from gateway.ingress.smpp.logins import make_hash
from protocol import constants as c
from protocol.events import BindRefused, Bound
from protocol.pdu import BindTransceiver, BroadcastSm, encode
from tests.ingress.smpp.conftest import Rig, account
from tests.ingress.smpp.esme import submit


@pytest.fixture(autouse=True)
def quick_slowing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowing, "FIRST", 0.01)


async def refused(rig: Rig, kind: str = "trx", **who: Any) -> int:
    esme = await rig.connect()
    event = await esme.bind(kind, **who)
    assert isinstance(event, BindRefused)
    return event.command_status


@pytest.mark.parametrize(
    ("kind", "version", "tells"),
    [
        ("trx", 0x34, 0x34),
        ("tx", 0x34, 0x34),
        ("rx", 0x50, 0x50),
        ("tx", 0x33, None),
        ("tx", 0, None),
    ],
)
async def test_every_kind_and_version_binds(
    alone: Rig, kind: str, version: int, tells: int | None
) -> None:
    esme = await alone.connect()
    event = await esme.bind(kind, version=version)
    assert isinstance(event, Bound)
    assert event.response.system_id == "aldis"  # type: ignore[attr-defined]
    offered = event.response.tlv(0x0210)
    assert (offered[0] if offered else None) == tells


async def test_wrong_credentials_are_told_apart_and_counted(alone: Rig) -> None:
    assert await refused(alone, password="wrong") == c.ESME_RINVPASWD
    assert await refused(alone, system_id="nobody") == c.ESME_RINVSYSID
    assert await refused(alone, password="") == c.ESME_RINVPASWD
    assert alone.metric("aldis_smpp_bind_attempts_total", "wrong_password") == 2
    assert alone.metric("aldis_smpp_bind_attempts_total", "unknown_system_id") == 1
    await alone.bound()


async def test_a_connection_may_try_again_a_few_times(alone: Rig) -> None:
    esme = await alone.connect()
    assert isinstance(await esme.bind(password="a"), BindRefused)
    assert isinstance(await esme.bind(), Bound)
    esme = await alone.connect()
    for password in ("a", "b", "c"):
        assert isinstance(await esme.bind(password=password), BindRefused)
    await asyncio.wait_for(esme.closed.wait(), 5)


async def test_failures_slow_their_source_and_nobody_else(alone: Rig) -> None:
    loop = asyncio.get_running_loop()
    slowing.FIRST = 0.05  # type: ignore[misc]
    for _ in range(4):
        await refused(alone, password="guess")
    begun = loop.time()
    await refused(alone, password="guess")
    assert loop.time() - begun >= 0.3
    begun = loop.time()
    assert await refused(alone, system_id="another") == c.ESME_RINVSYSID
    assert loop.time() - begun < 0.3
    begun = loop.time()
    await alone.bound()  # the right password behind the same failures waits its turn, too
    assert loop.time() - begun >= 0.3
    begun = loop.time()
    await alone.bound()
    assert loop.time() - begun < 0.3


async def test_many_who_wait_for_their_failures_keep_no_customer_out(
    alone: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "BINDS_AT_ONCE", 3)
    monkeypatch.setattr(slowing, "FIRST", 5.0)
    loop = asyncio.get_running_loop()
    assert await refused(alone, system_id="nobody") == c.ESME_RINVSYSID
    strangers = [await alone.connect() for _ in range(3)]
    for stranger in strangers:
        stranger.send(BindTransceiver(system_id="nobody", password="guess"))
    await alone.until(lambda: len(alone.server._binding) == 3)
    assert await refused(alone, system_id="nobody") == c.ESME_RBINDFAIL
    begun = loop.time()
    await alone.bound()
    assert loop.time() - begun < 3
    # Whoever hangs up waits no longer.
    for stranger in strangers:
        stranger.close()
    await alone.until(lambda: not alone.server._binding, timeout=3)


async def test_passwords_may_be_kept_as_hashes(unstarted: Rig) -> None:
    unstarted.with_operator = False
    login = SmppLogin(system_id="shop", password_hash=make_hash("secret"))
    unstarted.accounts = (account(smpp=(login,)),)
    await unstarted.start()
    try:
        assert await refused(unstarted, password="wrong") == c.ESME_RINVPASWD
        assert await refused(unstarted, system_id="nobody") == c.ESME_RINVSYSID
        await unstarted.bound()
        await unstarted.bound()
    finally:
        await unstarted.close()


@pytest.mark.parametrize(
    ("login", "kind", "status", "why"),
    [
        ({"networks": ("192.0.2.0/24",)}, "trx", c.ESME_RBINDFAIL, "network"),
        ({"require_tls": True}, "trx", c.ESME_RBINDFAIL, "tls_required"),
        ({"bind": ("rx",)}, "trx", c.ESME_RBINDFAIL, "kind"),
        ({"max_binds": 1}, "trx", c.ESME_RALYBND, "max_binds"),
    ],
)
async def test_limits_of_a_login(
    unstarted: Rig, login: dict[str, Any], kind: str, status: int, why: str
) -> None:
    unstarted.with_operator = False
    unstarted.accounts = (account(login=login),)
    await unstarted.start()
    try:
        if why == "max_binds":
            first = await unstarted.bound()
            assert await refused(unstarted, kind) == status
            first.close()
            await asyncio.wait_for(first.closed.wait(), 5)
            await unstarted.bound()
        else:
            assert await refused(unstarted, kind) == status
        assert unstarted.metric("aldis_smpp_bind_attempts_total", why) == 1
    finally:
        await unstarted.close()


async def test_binding_twice_and_submitting_before_are_refused(alone: Rig) -> None:
    esme = await alone.connect()
    esme.transport.write(_octets(submit(sequence_number=5)))
    assert isinstance(await esme.bind(), Bound)
    esme.transport.write(_octets(BindTransceiver(sequence_number=99, system_id="shop")))
    response = await esme.ask(submit())
    assert response.command_status == 0
    assert alone.metric("aldis_smpp_refused_total", "submit_sm", "ESME_RINVBNDSTS") == 1
    assert alone.metric("aldis_smpp_refused_total", "bind_transceiver", "ESME_RALYBND") == 1


async def test_a_receiver_may_not_submit(alone: Rig) -> None:
    esme = await alone.bound("rx")
    esme.transport.write(_octets(submit(sequence_number=5)))
    await esme.until(lambda: bool(esme.events[1:]))
    assert alone.metric("aldis_smpp_refused_total", "submit_sm", "ESME_RINVBNDSTS") == 1


async def test_cell_broadcast_is_no_service_of_ours(alone: Rig) -> None:
    esme = await alone.bound()
    response = await esme.ask(BroadcastSm(message_id="1"))
    assert response.command_status == c.ESME_RINVCMDID
    assert (await esme.ask(submit())).command_status == 0


async def test_too_many_connections_are_closed(unstarted: Rig) -> None:
    unstarted.with_operator = False
    unstarted.ports = (SmppPort(port=0, max_connections=3, max_unbound=2),)
    await unstarted.start()
    try:
        bound = await unstarted.bound()
        others = [await unstarted.connect() for _ in range(3)]
        await asyncio.wait_for(others[2].closed.wait(), 5)
        assert isinstance(await others[0].bind(), Bound)
        assert (await bound.ask(submit())).command_status == 0
        assert unstarted.metric("aldis_smpp_connection_ends_total", "too_many") >= 1
    finally:
        await unstarted.close()


async def test_one_network_takes_half_of_the_places_before_binding(unstarted: Rig) -> None:
    unstarted.with_operator = False
    unstarted.ports = (SmppPort(port=0, max_unbound=20),)
    await unstarted.start()
    try:
        silent = [await unstarted.connect() for _ in range(11)]
        await asyncio.wait_for(silent[10].closed.wait(), 5)
        assert not any(esme.closed.is_set() for esme in silent[:10])
        assert isinstance(await silent[0].bind(), Bound)
        await unstarted.bound()
    finally:
        await unstarted.close()


async def test_a_reload_takes_logins_away_and_gives_new_ones(alone: Rig) -> None:
    esme = await alone.bound()
    login = SmppLogin(system_id="new", password="secret")
    alone.accounts = (account(smpp=(login,)),)
    await alone.reload()
    await asyncio.wait_for(esme.closed.wait(), 5)
    assert esme.unbound
    assert await refused(alone) == c.ESME_RINVSYSID
    await alone.bound(system_id="new")


async def test_a_reload_changes_limits_of_binds_that_stay(alone: Rig) -> None:
    esme = await alone.bound()
    alone.accounts = (account(senders=("OTHER",)),)
    await alone.reload()
    assert (await esme.ask(submit())).command_status == c.ESME_RINVSRCADR
    assert not esme.closed.is_set()


# ---- TLS


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that signs itself, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", directory / "key.pem", "-out", directory / "cert.pem", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return directory


@pytest.fixture
async def secured(unstarted: Rig, pem: Path, request: pytest.FixtureRequest) -> Any:
    client_ca = getattr(request, "param", None)
    unstarted.with_operator = False
    tls = SmppTls(
        certificate=str(pem / "cert.pem"),
        key=str(pem / "key.pem"),
        client_ca=str(pem / "cert.pem") if client_ca else None,
    )
    unstarted.ports = (SmppPort(port=0), SmppPort(port=0, tls=tls))
    unstarted.accounts = (account(login={"require_tls": True}),)
    await unstarted.start()
    yield unstarted
    await unstarted.close()


async def test_a_bind_over_tls(secured: Rig, pem: Path) -> None:
    context = ssl.create_default_context(cafile=str(pem / "cert.pem"))
    esme = await secured.connect(context, port=1)
    assert isinstance(await esme.bind(), Bound)
    assert (await esme.ask(submit())).command_status == 0
    assert await refused(secured) == c.ESME_RBINDFAIL


@pytest.mark.parametrize("secured", [True], indirect=True)
async def test_a_client_certificate_is_demanded(secured: Rig, pem: Path) -> None:
    context = ssl.create_default_context(cafile=str(pem / "cert.pem"))
    esme = None
    with contextlib.suppress(OSError):  # under TLS 1.3 the refusal comes after the handshake
        esme = await secured.connect(context, port=1)
    if esme is not None:
        await asyncio.wait_for(esme.closed.wait(), 5)
    await secured.until(lambda: secured.metric("aldis_smpp_connection_ends_total", '"tls"') == 1)
    context.load_cert_chain(str(pem / "cert.pem"), str(pem / "key.pem"))
    esme = await secured.connect(context, port=1)
    assert isinstance(await esme.bind(), Bound)


async def test_plain_octets_on_the_tls_port_cost_one_connection(secured: Rig, pem: Path) -> None:
    esme = await secured.connect(port=1)
    esme.transport.write(_octets(BindTransceiver(sequence_number=1, system_id="shop")))
    await asyncio.wait_for(esme.closed.wait(), 5)
    await secured.until(lambda: secured.metric("aldis_smpp_connection_ends_total", '"tls"') == 1)
    context = ssl.create_default_context(cafile=str(pem / "cert.pem"))
    esme = await secured.connect(context, port=1)
    assert isinstance(await esme.bind(), Bound)


async def test_tls_and_http_on_the_plain_port_cost_one_connection(alone: Rig) -> None:
    for octets in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\n\r\n"):
        esme = await alone.connect()
        esme.transport.write(octets)
        await asyncio.wait_for(esme.closed.wait(), 5)
    assert alone.metric("aldis_smpp_connection_ends_total", "framing") == 2
    await alone.bound()


def _octets(pdu: Any) -> bytes:
    return encode(pdu)


def moved() -> tuple[Any, ...]:
    """The login of `shop` in the hands of another account."""
    login = SmppLogin(system_id="shop", password="secret")
    return account(smpp=()), account(name="other", inbound_numbers=(), smpp=(login,))


async def test_a_login_that_moves_to_another_account_takes_no_bind_along(rig: Rig) -> None:
    rig.smsc.behaviour = Behaviour(receipt_delay=0.5)
    esme = await rig.bound()
    await esme.ask(submit())
    esme.answer = None
    rig.accounts = moved()
    await rig.reload()
    await asyncio.wait_for(esme.closed.wait(), 5)
    assert not rig.server._receivers["shop"]
    stranger = await rig.bound()
    await rig.until(lambda: rig.smsc.counters.delivers_acknowledged == 1)
    await stranger.ask(submit(to="79161234568"))
    await stranger.until(lambda: bool(stranger.delivered))
    assert [pdu.source_addr for pdu in stranger.delivered] == ["79161234568"]


@pytest.mark.parametrize("change", ["gone", "password", "moved"])
async def test_a_reload_while_a_password_is_checked_counts(
    unstarted: Rig, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    unstarted.with_operator = False
    login = SmppLogin(system_id="shop", password_hash=make_hash("secret"))
    unstarted.accounts = (account(smpp=(login,)),)
    await unstarted.start()
    begun, go_on = threading.Event(), threading.Event()

    verify = logins.verify
    monkeypatch.setattr(logins, "verify", lambda *of: (begun.set(), go_on.wait(5), verify(*of))[2])
    try:
        esme = await unstarted.connect()
        binding = asyncio.create_task(esme.bind())
        await asyncio.to_thread(begun.wait, 5)
        other = SmppLogin(system_id="shop", password_hash=make_hash("another"))
        unstarted.accounts = {
            "gone": (account(smpp=()),),
            "password": (account(smpp=(other,)),),
            "moved": moved(),
        }[change]
        await unstarted.reload()
        go_on.set()
        event = await binding
        assert isinstance(event, Bound if change == "moved" else BindRefused)
        [*now] = unstarted.server.logins.all()
        assert sum(len(one.binds) for one in now) == (change == "moved")
    finally:
        go_on.set()
        await unstarted.close()


async def test_binds_that_come_together_cost_one_hash(
    unstarted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    unstarted.with_operator = False
    login = SmppLogin(system_id="shop", password_hash=make_hash("secret"))
    unstarted.accounts = (account(smpp=(login,)),)
    await unstarted.start()
    verify, computed = logins.verify, []
    monkeypatch.setattr(logins, "verify", lambda *of: (computed.append(1), verify(*of))[1])
    try:
        esmes = [await unstarted.connect() for _ in range(8)]
        events = await asyncio.gather(*[esme.bind() for esme in esmes])
        assert all(isinstance(event, Bound) for event in events)
        assert len(computed) <= 2
    finally:
        await unstarted.close()


async def test_guesses_made_at_once_are_one_guess(unstarted: Rig) -> None:
    unstarted.with_operator = False
    login = SmppLogin(system_id="shop", password_hash=make_hash("secret"))
    unstarted.accounts = (account(smpp=(login,)),)
    await unstarted.start()
    try:
        esmes = [await unstarted.connect() for _ in range(20)]
        events = await asyncio.gather(*[
            esme.bind(password=f"guess{n}") for n, esme in enumerate(esmes)
        ])  # fmt: skip
        heard = [event.command_status for event in events if isinstance(event, BindRefused)]
        assert heard.count(c.ESME_RINVPASWD) == 1
        assert heard.count(c.ESME_RBINDFAIL) == 19
        assert unstarted.metric("aldis_smpp_bind_attempts_total", "slowed") == 19
        await unstarted.bound()
        assert not unstarted.server._turns
    finally:
        await unstarted.close()
