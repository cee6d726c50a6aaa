"""`aldis capture`: what one carrier's or account's links carry, as a file Wireshark reads.

In: the address of a gateway's operators' port. Out: a pcap, as it comes. The gateway redacts it;
nothing is parsed here.
"""

from __future__ import annotations

import http.client
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from typing import BinaryIO, Final

import click

_PIECE: Final = 65_536
_PATIENCE: Final = 60.0
"""Seconds beyond --seconds that the gateway may be silent before it counts as gone."""


@click.command()
@click.option(
    "--ops",
    default="http://127.0.0.1:9090",
    show_default=True,
    metavar="URL",
    help="The gateway's [ops] port.",
)
@click.option("--carrier", help="Capture the links of this carrier.")
@click.option("--account", help="Capture the binds of this account.")
@click.option(
    "--seconds", type=click.IntRange(1, 3600), default=60, show_default=True, help="At most."
)
@click.option(
    "--packets", type=click.IntRange(1), default=10_000, show_default=True, help="At most."
)
@click.option("--out", required=True, metavar="FILE", help="File to write; - is standard output.")
@click.option("--full", is_flag=True, help="With numbers and texts; [ops] full_capture allows it.")
def capture(
    ops: str,
    carrier: str | None,
    account: str | None,
    seconds: int,
    packets: int,
    out: str,
    full: bool,
) -> None:
    """Write the PDUs of a carrier or an account to a pcap file for Wireshark.

    The middle of numbers and all texts are overwritten, passwords always. TLS does not hide
    anything: what is written was read behind it. Ctrl-C ends it; the file is good so far.
    """
    if (carrier is None) == (account is None):
        raise click.UsageError("give --carrier or --account, one of them")
    kind, name = ("carrier", carrier) if carrier is not None else ("account", account)
    question = {kind: name, "seconds": seconds, "packets": packets} | ({"full": 1} if full else {})
    url = f"{ops.rstrip('/')}/capture?{urllib.parse.urlencode(question)}"
    if not url.startswith(("http://", "https://")):
        raise click.UsageError("--ops is an http address")
    written = 0
    try:
        with (
            ExitStack() as stack,
            urllib.request.urlopen(url, timeout=seconds + _PATIENCE) as answer,  # noqa: S310
        ):
            file = _opened(stack, out)
            try:
                while piece := answer.read1(_PIECE):
                    file.write(piece)
                    file.flush()
                    written += len(piece)
            except KeyboardInterrupt:
                click.echo("", err=True)
    except urllib.error.HTTPError as error:
        raise click.ClickException(error.read(_PIECE).decode("utf-8", "replace").strip()) from None
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise click.ClickException(f"{ops}: {reason}; {written} octets were written") from None
    click.echo(f"{written} octets written to {out}", err=True)


def _opened(stack: ExitStack, out: str) -> BinaryIO:
    """The file, readable by its owner only: even redacted it tells who sends to which network."""
    if out == "-":
        return sys.stdout.buffer
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}") from None
    return stack.enter_context(os.fdopen(descriptor, "wb"))
