"""`aldis pdu HEX`: a readable dump of SMPP octets, malformed ones included."""

from __future__ import annotations

import re
import sys

import click

from protocol.dump import dump


@click.command()
@click.argument("octets", metavar="HEX")
@click.option("--masked", is_flag=True, help="Mask numbers and texts.")
def pdu(octets: str, masked: bool) -> None:
    """Show the PDU(s) in HEX field by field; `-` reads standard input.

    Spaces, colons, line breaks and `0x` are allowed between the octets.
    """
    if octets == "-":
        octets = sys.stdin.read()
    digits = re.sub(r"0x|[\s:,]", "", octets)
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        raise click.ClickException("HEX is pairs of hexadecimal digits") from None
    if not data:
        raise click.ClickException("HEX is empty")
    click.echo(dump(data, masked=masked))
