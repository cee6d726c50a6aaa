"""`python -m bench.load <scenario>`: options in, tables and result files out."""

from pathlib import Path
from typing import Any

import click
import msgspec
import uvloop

from bench.load import backlog, batch, idle, kill, messages, otp, policy, single, smpp, storm
from bench.load.report import RESULTS, report
from bench.load.site import SiteSettings

_RUN = (
    click.option("--synchronous", default="FULL", type=click.Choice(["FULL", "NORMAL"])),
    click.option("--smsc", multiple=True, help="An option for the operator, as --smsc=--latency=1"),
    click.option(
        "--results",
        type=click.Path(path_type=Path, file_okay=False),
        default=RESULTS,
        help="Where the JSON goes.",
    ),
    click.option("--keep/--no-keep", default=True, help="Whether to write the JSON at all."),
)
_SITE = (
    click.option("--binds", default=2, show_default=True, help="Transceivers to the operator."),
    click.option("--window", default=2_000, show_default=True, help="Of each bind."),
    click.option("--text", default="templated", type=click.Choice(["fixed", "templated", "long"])),
    click.option("--encoding", default="gsm", type=click.Choice(["gsm", "ucs2"])),
    *_RUN,
)


def _run_options(function: Any) -> Any:
    for option in reversed(_RUN):
        function = option(function)
    return function


def _site_options(function: Any) -> Any:
    for option in reversed(_SITE):
        function = option(function)
    return function


class _Common:
    """What the shared options come to. `binds` and `window` are those to the operator; scenarios
    with SMPP customers leave them at their defaults."""

    def __init__(self, options: dict[str, Any], **site: Any) -> None:
        self.text = messages.TEXTS[options.get("text", "fixed"), options.get("encoding", "gsm")]
        self.options = {name: value for name, value in options.items() if name != "results"}
        self.directory: Path | None = options["results"] if options["keep"] else None
        given: dict[str, Any] = {
            name: options[name] for name in ("binds", "window") if name in options
        }
        self.site = SiteSettings(
            synchronous=options["synchronous"],
            **({"smsc": tuple(options["smsc"])} | given | site),
        )

    def report(self, scenario: str, figures: dict[str, Any], **settings: Any) -> None:
        site = msgspec.structs.asdict(self.site) | {"prepare": None}
        report(scenario, self.options | settings | {"site": site}, figures, self.directory)


@click.group()
def command() -> None:
    """Measure the whole gateway between a simulated operator and a customer's endpoint."""


@command.command("batch")
@click.option("--messages", "count", default=200_000, show_default=True)
@click.option("--recipients", default=1_000, show_default=True, help="Of one POST.")
@click.option("--connections", default=4, show_default=True)
@_site_options
def batch_command(count: int, recipients: int, connections: int, **options: Any) -> None:
    """Campaign batches with everything on: the main figure."""
    common = _Common(options)
    figures = uvloop.run(
        batch.run(
            common.site,
            count=count,
            recipients=recipients,
            connections=connections,
            text=common.text,
        )
    )
    common.report("batch", figures, messages=count, recipients=recipients, connections=connections)


@command.command("policy")
@click.option("--messages", "count", default=200_000, show_default=True)
@click.option("--recipients", default=1_000, show_default=True, help="Of one POST.")
@click.option("--connections", default=4, show_default=True)
@click.option("--stopwords", default=20_000, show_default=True)
@click.option("--optouts", "opt_outs", default=10_000_000, show_default=True)
@click.option("--turns", default=3, show_default=True, help="Runs without and with policies.")
@_site_options
def policy_command(**options: Any) -> None:
    """What all policies together cost, against none."""
    own = ("count", "recipients", "connections", "stopwords", "opt_outs", "turns")
    given = {name: options.pop(name) for name in own}
    common = _Common(options)
    figures = uvloop.run(policy.run(common.site, text=common.text, **given))
    common.report("policy", figures, **given)


@command.command("single")
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--connections", default=64, show_default=True)
@_site_options
def single_command(seconds: float, connections: int, **options: Any) -> None:
    """One message per POST, each durable."""
    options["text"] = "fixed" if options["text"] == "templated" else options["text"]
    common = _Common(options, audit_suffix="")
    figures = uvloop.run(
        single.run(common.site, seconds=seconds, connections=connections, text=common.text)
    )
    common.report("single", figures, seconds=seconds, connections=connections)


@command.command("otp")
@click.option("--bulk", default=500_000, show_default=True, help="Adverts queued first.")
@click.option("--codes", default=300, show_default=True)
@click.option("--per-second", default=20.0, show_default=True, help="Codes posted per second.")
@click.option("--rate", default=2_000.0, show_default=True, help="PDU/s of the carrier.")
@_site_options
def otp_command(bulk: int, codes: int, per_second: float, rate: float, **options: Any) -> None:
    """One-time codes beside a saturating campaign."""
    common = _Common(options, rate=rate, audit_suffix="")
    figures = uvloop.run(
        otp.run(common.site, bulk=bulk, codes=codes, per_second=per_second, text=common.text)
    )
    common.report("otp", figures, bulk=bulk, codes=codes, per_second=per_second, rate=rate)


@command.command("backlog")
@click.option("--messages", "count", default=1_000_000, show_default=True)
@click.option("--connections", default=4, show_default=True)
@click.option("--drain", default=15.0, show_default=True, help="Seconds to watch it drain.")
@_site_options
def backlog_command(count: int, connections: int, drain: float, **options: Any) -> None:
    """A million messages behind a carrier that is down, a kill -9, a restart."""
    common = _Common(options, smsc_at_once=False)
    figures = uvloop.run(
        backlog.run(
            common.site, count=count, connections=connections, text=common.text, drain=drain
        )
    )
    common.report("backlog", figures, messages=count, connections=connections, drain=drain)


@command.command("kill")
@click.option("--kills", default=20, show_default=True)
@click.option("--connections", default=4, show_default=True)
@click.option("--seed", default=1, show_default=True)
@_site_options
def kill_command(kills: int, connections: int, seed: int, **options: Any) -> None:
    """kill -9 under load, then an audit; exit code 1 if it fails."""
    # Responses that take a while leave submits unanswered when the gateway dies.
    common = _Common(options, audit_suffix="", smsc=("--latency=0.02", *options["smsc"]))
    figures = uvloop.run(
        kill.run(common.site, kills=kills, connections=connections, text=common.text, seed=seed)
    )
    common.report("kill", figures, kills=kills, connections=connections, seed=seed)
    if not figures["passed"]:
        raise SystemExit(1)


@command.command("smpp")
@click.option("--messages", "count", default=200_000, show_default=True)
@click.option("--text", default="fixed", type=click.Choice(["fixed", "templated"]))
@click.option("--binds", default=1, show_default=True, help="Of customers, transceivers.")
@click.option("--logins", default=1, show_default=True, help="Over which they are spread.")
@click.option("--accounts", default=1, show_default=True, help="To which the logins belong.")
@click.option(
    "--window", type=int, help="Of each bind. Default: 1,000, and 10,000 for all together."
)
@_run_options
def smpp_command(
    count: int,
    text: str,
    binds: int,
    logins: int,
    accounts: int,
    window: int | None,
    **options: Any,
) -> None:
    """SMPP in, SMPP out, receipts back over the same binds."""
    common = _Common(options)
    window = window or min(1_000, max(1, 10_000 // binds))
    figures = uvloop.run(
        smpp.run(
            common.site,
            count=count,
            templated=text == "templated",
            binds=binds,
            logins=logins,
            accounts=accounts,
            window=window,
        )
    )
    name = f"smpp-{text}"
    if binds > 1:
        name += f"-{binds}-binds"
    if logins > 1:
        name += f"-{logins}-logins"
    common.report(
        name,
        figures,
        messages=count,
        text=text,
        binds=binds,
        logins=logins,
        accounts=accounts,
        window=window,
    )


@command.command("idle")
@click.option("--binds", default=10_000, show_default=True, help="Of customers who are silent.")
@click.option("--rate", default=1_000.0, show_default=True, help="Messages/s of one who is not.")
@click.option("--seconds", default=20.0, show_default=True)
@_run_options
def idle_command(binds: int, rate: float, seconds: float, **options: Any) -> None:
    """Ten thousand silent binds, and one that sends."""
    common = _Common(options)
    figures = uvloop.run(idle.run(common.site, binds=binds, rate=rate, seconds=seconds))
    common.report("idle", figures, binds=binds, rate=rate, seconds=seconds)


@command.command("storm")
@click.option("--visits", default=1_000.0, show_default=True, help="Connections/s to no end.")
@click.option("--rate", default=2_000.0, show_default=True, help="Messages/s of one good bind.")
@click.option("--seconds", default=10.0, show_default=True)
@_run_options
def storm_command(visits: float, rate: float, seconds: float, **options: Any) -> None:
    """Connections that come and go, and one bind that sends."""
    common = _Common(options)
    figures = uvloop.run(storm.run(common.site, visits=visits, rate=rate, seconds=seconds))
    common.report("storm", figures, visits=visits, rate=rate, seconds=seconds)


@command.command("all")
@click.pass_context
def all_command(context: click.Context) -> None:
    """Every scenario with its defaults, `smpp` in three sizes."""
    for scenario in (batch_command, single_command, otp_command, backlog_command, kill_command):
        context.invoke(scenario)
    context.invoke(policy_command)
    context.invoke(smpp_command)
    context.invoke(smpp_command, text="templated")
    context.invoke(smpp_command, binds=200, logins=200, accounts=20)
    context.invoke(idle_command)
    context.invoke(storm_command)
