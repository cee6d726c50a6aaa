"""`aldis conformance HOST:PORT`: a bounded acceptance plan against whoever plays the SMSC.

In: where, as whom, how much. Out: a table of what was seen on the wire, and a carrier profile
proposed from it. asked.py holds the wishes, plan.py the steps, run.py runs them on peer.py and
wire.py; report.py and profile.py write down what was found.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import click

from config.settings import CarrierTls
from gateway.commands.conformance import report as reports
from gateway.commands.conformance.asked import Asked, Tls
from gateway.commands.conformance.peer import Peer
from gateway.commands.conformance.plan import PLAN
from gateway.commands.conformance.profile import profile
from gateway.commands.conformance.run import Report, conduct
from gateway.dispatch.profile import tls_context
from gateway.errors import ConfigError
from protocol.errors import UsageError
from protocol.pdu import check

_FORMATS: Final = {
    "table": reports.table,
    "json": reports.as_json,
    "markdown": reports.markdown,
}
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_NUMBER: Final = 20  # SMPP 3.4 §4.4.1, without the NUL
_FILE: Final = click.Path(exists=True, dir_okay=False)


def _duration(text: str) -> float:
    """Seconds, written `30s`, `500ms`, `10m`; a bare number is seconds."""
    number = text.rstrip("msh")
    try:
        seconds = float(number) * _UNITS[text[len(number) :] or "s"]
    except (ValueError, KeyError):
        raise click.BadParameter(f"{text!r} is no duration; write 30s") from None
    if not 0 < seconds < 86_400:
        raise click.BadParameter(f"{text!r} is not between 0 and a day")
    return seconds


def _steps(text: str) -> frozenset[str]:
    """Names of steps, with commas between them."""
    names = frozenset(filter(None, text.split(",")))
    unknown = names - {step.name for step in PLAN}
    if unknown:
        listed = ", ".join(sorted(unknown))
        raise click.BadParameter(f"no step is called {listed}; --plan lists them")
    return names


def _show_plan(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(reports.plan(PLAN))
        context.exit()


@click.command()
@click.argument("peer", metavar="HOST:PORT")
@click.option("--system-id", required=True, help="Login the operator gave you.")
@click.option("--password", help="Password; it is never shown. Prefer --password-env.")
@click.option("--password-env", metavar="VAR", help="Environment variable with the password.")
@click.option("--system-type", default="", help="What the operator wants in system_type.")
@click.option(
    "--bind",
    type=click.Choice(["trx", "tx+rx"]),
    default="trx",
    show_default=True,
    help="Which binds carry the messages; the others are tried and noted.",
)
@click.option(
    "--interface",
    type=click.Choice(["3.3", "3.4", "5.0"]),
    default="3.4",
    show_default=True,
    help="SMPP version offered.",
)
@click.option("--tls", is_flag=True, help="Speak TLS.")
@click.option("--ca", type=_FILE, help="PEM file of the operator's CA; default: the system's.")
@click.option("--server-name", help="Name to verify and send as SNI; default: the host.")
@click.option("--certificate", type=_FILE, help="Client certificate, PEM.")
@click.option("--key", type=_FILE, help="Client key, PEM.")
@click.option("--insecure", is_flag=True, help="Do not verify the certificate.")
@click.option(
    "--from",
    "senders",
    multiple=True,
    metavar="SENDER",
    help="Sender; repeatable, for a number (+33...), a name and a short code. Without it the "
    "sender is left empty.",
)
@click.option(
    "--to",
    multiple=True,
    metavar="NUMBER",
    help="Number that gets the test messages; repeatable, several take turns. Without it nothing "
    "is submitted.",
)
@click.option("--only", type=_steps, default="", metavar="STEP,...", help="Run these steps only.")
@click.option("--skip", type=_steps, default="", metavar="STEP,...", help="Leave these steps out.")
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 1000),
    default=5.0,
    show_default=True,
    help="PDUs a second at most.",
)
@click.option(
    "--timeout",
    type=_duration,
    default="10s",
    show_default=True,
    metavar="TIME",
    help="Per answer.",
)
@click.option(
    "--receipt-wait",
    type=_duration,
    default="30s",
    show_default=True,
    metavar="TIME",
    help="For receipts.",
)
@click.option(
    "--bursts/--no-throttle", "throttle", default=True, help="Run the steps `window` and `burst`."
)
@click.option(
    "--burst",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Submits of the step `burst`.",
)
@click.option(
    "--max-pdus",
    type=click.IntRange(1, 10_000),
    default=400,
    show_default=True,
    help="PDUs sent at most.",
)
@click.option(
    "--max-time",
    type=_duration,
    default="10m",
    show_default=True,
    metavar="TIME",
    help="Time taken at most.",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice([*_FORMATS]),
    default="table",
    show_default=True,
    help="How the findings are printed.",
)
@click.option(
    "--profile",
    "profile_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the proposed [[carrier]] to.",
)
@click.option("--verbose", is_flag=True, help="Show the PDUs of each step.")
@click.option("--show-texts", is_flag=True, help="Show numbers and texts in full.")
@click.option(
    "--plan",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_plan,
    help="List the steps and end.",
)
def conformance(
    peer: str,
    layout: str,
    profile_file: Path | None,
    **given: Any,
) -> None:
    """Try how the SMSC at HOST:PORT behaves, and propose a carrier profile for it.

    Binds, sends test messages to the numbers of --to (about 60, and --burst more), and prints what
    came back. At most --max-pdus PDUs are sent, at most --rate of them a second, and it is over
    after --max-time. Ctrl-C unbinds and prints what was found so far.

    One bind has a wrong password: leave that out with --skip bind-wrong-password where accounts
    get locked. Use a login that carries no other traffic: receipts of other messages are taken
    too (inbound messages are left with the operator).

    Exit code: 0 all passed, 1 something failed, 2 usage, 3 could not bind, 130 interrupted.
    """
    asked = _asked(peer, **given)
    found = asyncio.run(_until_interrupted(asked))
    click.echo(_FORMATS[layout](found))
    if profile_file is not None:
        proposed = profile(found)
        if proposed is None:
            click.echo(f"{profile_file} is not written: there was no session", err=True)
        else:
            try:
                profile_file.write_text(proposed, "utf-8")
            except OSError as error:
                click.echo(f"{profile_file} cannot be written: {error}", err=True)
                sys.exit(found.exit_code or 1)
    sys.exit(found.exit_code)


async def _until_interrupted(asked: Asked) -> Report:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return await conduct(asked, stop)


def _asked(
    peer: str,
    *,
    password: str | None,
    password_env: str | None,
    tls: bool,
    ca: str | None,
    server_name: str | None,
    certificate: str | None,
    key: str | None,
    insecure: bool,
    to: tuple[str, ...],
    max_pdus: int,
    max_time: float,
    **given: Any,
) -> Asked:
    """The command line as wishes; raises click.UsageError for what cannot be."""
    host, _, port = peer.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.UsageError(f"{peer!r} is not HOST:PORT")
    if (password is None) == (password_env is None):
        raise click.UsageError("give --password or --password-env, one of them")
    if password_env is not None:
        password = os.environ.get(password_env)
        if password is None:
            raise click.UsageError(f"the environment has no {password_env}")
    settings = CarrierTls(
        ca=ca, server_name=server_name, certificate=certificate, key=key, verify=not insecure
    )
    if settings != CarrierTls() and not tls:
        raise click.UsageError("--ca, --server-name, --certificate, --key, --insecure need --tls")
    numbers = tuple(number.removeprefix("+") for number in to)
    for spelt, number in zip(to, numbers, strict=True):
        if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER):
            raise click.UsageError(f"--to {spelt!r} is not a number in digits")
    asked = Asked(
        host=host,
        port=int(port),
        password=password or "",
        password_env=password_env,
        tls=_tls(settings) if tls else None,
        to=numbers,
        most_pdus=max_pdus,
        most_seconds=max_time,
        **given,
    )
    _check(asked)
    return asked


def _tls(settings: CarrierTls) -> Tls:
    try:
        context = tls_context("under test", settings)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    return Tls(
        context=context,
        ca=settings.ca,
        server_name=settings.server_name,
        certificate=settings.certificate,
        key=settings.key,
        verify=settings.verify,
    )


def _check(asked: Asked) -> None:
    """Refuse now what no PDU can carry."""
    peer = Peer(asked)
    try:
        for kind in asked.kinds:
            check(peer.bind_pdu(kind))
        for sender in asked.senders:
            for number in asked.to[:1]:
                check(peer.submit_pdu(**peer.source(sender), destination_addr=number))
    except UsageError as error:
        raise click.UsageError(str(error)) from None
