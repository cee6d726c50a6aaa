"""`aldis encode TEXT`: how a text travels, and what makes it expensive.

In: a text, and what the carrier shows. Out: encoding, parts, for each character that costs more
than one septet what it costs, and what transliteration or a national language would save.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import click

from protocol import gsm7
from protocol.errors import UsageError
from protocol.national import NATIONAL, alphabets
from protocol.segment import Segments, segment
from protocol.transliterate import transliterate
from protocol.udh import LOCKING_SHIFT, SINGLE_SHIFT

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
@click.option(
    "--alphabet",
    type=click.Choice(["gsm", "latin1", "ascii"]),
    default="gsm",
    show_default=True,
    help="What data_coding 0 means to the carrier.",
)
@click.option(
    "--national",
    type=click.Choice(list(NATIONAL)),
    multiple=True,
    help="A national language the carrier shows; may be repeated.",
)
def encode(text: str, encoding: str, mode: str, alphabet: str, national: tuple[str, ...]) -> None:
    """Show how TEXT travels: encoding, parts, and which characters cost what."""

    def cut(sent: str, languages: tuple[str, ...]) -> Segments:
        offered = alphabets(languages)
        return segment(sent, encoding=encoding, mode=mode, alphabet=alphabet, national=offered)

    try:
        found = cut(text, national)
    except UsageError as error:
        raise click.ClickException(str(error)) from None
    chosen = _chosen(found, national)
    unit = {"gsm": "septets", "ucs2": "UTF-16 units"}.get(found.encoding, "octets")
    click.echo(f"encoding    {found.encoding} (data_coding {found.data_coding})")
    if found.elements:
        click.echo(f"national    {_announced(chosen)}")
    click.echo(f"characters  {len(text)}, counted as {found.characters} {unit}")
    click.echo(f"parts       {found.count}")
    for place, part in enumerate(found.parts, 1):
        click.echo(f"  part {place}    {len(part):3} octets of payload")
    for line in _costs(text, found.encoding, chosen):
        click.echo(line)
    if found.elements:
        plain = cut(text, ()) if encoding == "auto" else segment(text, encoding="ucs2", mode=mode)
        click.echo(f"without --national: {_size(plain)}; saved {plain.count - found.count} part(s)")
    elif found.encoding == "ucs2" and encoding == "auto" and alphabet == "gsm":
        for language in NATIONAL:
            other = cut(text, (language,))
            if other.elements:
                saved = found.count - other.count
                click.echo(f"with --national {language}: {_size(other)}; saves {saved} part(s)")
    plain_text, changes = transliterate(text)
    if changes:
        replaced = ", ".join(f"{change.original} -> {change.replacement!r}" for change in changes)
        other = cut(plain_text, national)
        saved = found.count - other.count
        click.echo(f"with transliterate: {_size(other)}; saves {saved} part(s); {replaced}")


def _size(segments: Segments) -> str:
    return f"{segments.encoding}, {segments.count} part(s)"


def _chosen(segments: Segments, national: tuple[str, ...]) -> gsm7.Alphabet:
    """The alphabet whose identifiers the parts announce."""
    for offered in alphabets(national):
        if segments.elements == _elements(offered):
            return offered
    return gsm7.DEFAULT


def _elements(alphabet: gsm7.Alphabet) -> bytes:
    single = bytes((SINGLE_SHIFT, 1, alphabet.single_shift)) if alphabet.single_shift else b""
    locking = bytes((LOCKING_SHIFT, 1, alphabet.locking_shift)) if alphabet.locking_shift else b""
    return single + locking


def _announced(alphabet: gsm7.Alphabet) -> str:
    tables = [("locking", alphabet.locking_shift), ("single", alphabet.single_shift)]
    named = " and ".join(f"{kind} shift table" for kind, identifier in tables if identifier)
    return f"{alphabet.name}, {named}"


def _costs(text: str, encoding: str, alphabet: gsm7.Alphabet) -> Iterator[str]:
    """A line for each distinct character that costs more than one unit, or forces UCS-2."""
    dear: dict[str, str] = {}
    for character in text:
        septets = alphabet.encode(character)
        if encoding == "gsm":
            if septets is not None and len(septets) > 1:
                table = "single shift table" if alphabet.single_shift else "extension table"
                dear[character] = f"2 septets ({table})"
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
