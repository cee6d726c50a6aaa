"""The `aldis` command: a table of contents of what a person can do at a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway import VERSION
from gateway.commands.capture import capture
from gateway.commands.configuration import CONFIG, settings_from
from gateway.commands.conformance import conformance
from gateway.commands.encode import encode
from gateway.commands.explain import explain
from gateway.commands.keys import keys
from gateway.commands.pdu import pdu


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="aldis")
def main() -> None:
    """Aldis, an SMPP gateway: campaigns in over HTTP, out over SMPP, receipts back as events."""


@main.command()
@CONFIG
def serve(path: Path) -> None:
    """Run the gateway until SIGTERM or SIGINT; SIGHUP reloads carriers, routes and accounts."""
    settings = settings_from(path)
    # Imported here: `aldis encode` need not load an HTTP server.
    from gateway.app import run

    sys.exit(run(settings, path))


@main.command("check-config")
@CONFIG
def check_config(path: Path) -> None:
    """Check a configuration file without using it."""
    settings = settings_from(path)
    click.echo(
        f"{path}: good. {len(settings.account)} account(s), {len(settings.carrier)} carrier(s), "
        f"{len(settings.route)} route(s)."
    )


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def smsc(arguments: tuple[str, ...]) -> None:
    """Run a simulated operator to try the gateway against (`aldis smsc --help`)."""
    from bench.smsc import command

    command.main(args=list(arguments), prog_name="aldis smsc")


@main.command()
@click.option("--exit", "leave", is_flag=True, help="End after the report instead of serving.")
@click.option("--port", default=8080, show_default=True, help="HTTP port; 0 chooses one.")
def demo(leave: bool, port: int) -> None:
    """Send a campaign through the gateway to two simulated operators, and report."""
    from gateway.commands.demo import run

    sys.exit(run(leave, port))


main.add_command(capture)
main.add_command(conformance)
main.add_command(encode)
main.add_command(explain)
main.add_command(keys)
main.add_command(pdu)
