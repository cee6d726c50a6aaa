"""`aldis encode TEXT`: how a text travels, and what makes it expensive.

In: a text. Out: encoding, parts, and for each character that costs more than one septet what it
costs and what could stand in its place.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import click

from protocol import gsm7
from protocol.errors import UsageError
from protocol.segment import segment
from protocol.transliterate import transliterate

_SHOWN = 20


@click.command()
@click.argument("text")
@click.option(
    "--encoding",
    type=click.Choice(["auto", "gsm", "ucs2", "latin1"]),
    default="auto",
    show_default=True,
    help="Insist on an encoding.",
)
@click.option(
    "--mode",
    type=click.Choice(["udh8", "udh16", "sar", "payload"]),
    default="udh8",
    show_default=True,
    help="How parts are tied together.",
)
def encode(text: str, encoding: str, mode: str) -> None:
    """Show how TEXT travels: encoding, parts, and which characters cost what."""
    try:
        found = segment(text, encoding=encoding, mode=mode)
    except UsageError as error:
        raise click.ClickException(str(error)) from None
    unit = {"gsm": "septets", "ucs2": "UTF-16 units"}.get(found.encoding, "octets")
    click.echo(f"encoding    {found.encoding} (data_coding {found.data_coding})")
    click.echo(f"characters  {len(text)}, counted as {found.characters} {unit}")
    click.echo(f"parts       {found.count}")
    for place, part in enumerate(found.parts, 1):
        click.echo(f"  part {place}    {len(part):3} octets of payload")
    for line in _costs(text, found.encoding):
        click.echo(line)
    plain, changes = transliterate(text)
    if changes:
        saved = segment(plain, mode=mode)
        replaced = ", ".join(f"{change.original} -> {change.replacement!r}" for change in changes)
        click.echo(f"with transliterate: {saved.encoding}, {saved.count} part(s); {replaced}")


def _costs(text: str, encoding: str) -> Iterator[str]:
    """A line for each distinct character that costs more than one unit, or forces UCS-2."""
    dear: dict[str, str] = {}
    for character in text:
        septets = gsm7.encode(character)
        if encoding == "gsm":
            if septets is not None and len(septets) > 1:
                dear[character] = "2 septets (extension table)"
        elif encoding == "ucs2":
            if septets is None:
                dear[character] = "not in the GSM alphabet: the whole text is UCS-2"
            if ord(character) > 0xFFFF:
                dear[character] = "2 UTF-16 units; not in the GSM alphabet"
    for place, (character, why) in enumerate(dear.items()):
        if place == _SHOWN:
            yield f"  ... and {len(dear) - _SHOWN} more"
            break
        name = unicodedata.name(character, "unnamed")
        yield f"  {character}  U+{ord(character):04X} {name.lower()}: {why}"
