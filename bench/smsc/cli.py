"""The simulated operator from the command line: `python -m bench.smsc`, `aldis smsc`.

Every field of `Behaviour` is an option; its help is the sentence beside the field.
"""

import ast
import asyncio
import inspect
import signal
import ssl
import time
from collections.abc import Callable
from typing import Any, Final, Literal, get_args, get_origin

import click
import msgspec
import uvloop

from bench.smsc.behaviour import Behaviour
from bench.smsc.control import control
from bench.smsc.record import Audit
from bench.smsc.server import SimulatedSmsc


def _pairs(key: type, value: type) -> Callable[[str], list[tuple[Any, Any]]]:
    """An option type: `key=value`, several with commas: `--errors 0x58=0.01,8=0.02`."""

    def key_value(text: str) -> list[tuple[Any, Any]]:
        pairs = []
        for item in text.split(","):
            left, equals, right = item.partition("=")
            if not equals:
                raise click.BadParameter(f"{item!r} is not key=value")
            try:
                pairs.append((_number(left, key), _number(right, value)))
            except ValueError as error:
                raise click.BadParameter(str(error)) from None
        return pairs

    return key_value


def _number(text: str, kind: type) -> Any:
    return int(text, 0) if kind is int else kind(text)


def _sentences() -> dict[str, str]:
    """Field -> the docstring beside it, which Python itself forgets."""
    (cls,) = ast.parse(inspect.getsource(Behaviour)).body
    assert isinstance(cls, ast.ClassDef)
    sentences = {}
    for field, text in zip(cls.body, cls.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(text.value, ast.Constant)
            sentences[field.target.id] = " ".join(str(text.value.value).split())
    return sentences


def _option(field: msgspec.structs.FieldInfo, sentence: str) -> Callable[[Any], Any]:
    name = field.encode_name.replace("_", "-")
    if get_origin(field.type) is dict:
        pairs = _pairs(*get_args(field.type))
        return click.option(
            f"--{name}", type=pairs, multiple=True, metavar="KEY=VALUE,...", help=sentence
        )
    if field.type is bool:
        return click.option(
            f"--{name}/--no-{name}", default=field.default, show_default=True, help=sentence
        )
    choice = get_origin(field.type) is Literal
    kind: Any = click.Choice(get_args(field.type)) if choice else field.type
    return click.option(
        f"--{name}", type=kind, default=field.default, show_default=True, help=sentence
    )


def _with_behaviour(function: Callable[..., None]) -> Callable[..., None]:
    sentences = _sentences()
    for field in reversed(msgspec.structs.fields(Behaviour)):
        function = _option(field, sentences[field.name])(function)
    return function


_PAIRED: Final = frozenset(
    field.name for field in msgspec.structs.fields(Behaviour) if get_origin(field.type) is dict
)


def _behaviour(options: dict[str, Any]) -> Behaviour:
    given: dict[str, Any] = {
        name: dict(pair for pairs in value for pair in pairs) if name in _PAIRED else value
        for name, value in options.items()
        if name not in _PAIRED or value
    }
    try:
        return Behaviour(**given)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


_FILE: Final = click.Path(exists=True, dir_okay=False)


@click.command("smsc")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=2775, show_default=True, help="SMPP port; 0: any free one.")
@click.option("--stats-port", type=int, help="HTTP port for counters and live changes; 0: any.")
@click.option("--audit/--no-audit", default=False, help="Count submits per destination.")
@click.option("--audit-suffix", default="", help="Only destinations that end so.")
@click.option("--seed", default=1, show_default=True, help="Seed of all chances.")
@click.option("--first-id", type=int, help="Number of the first message id; default: the clock.")
@click.option(
    "--tls",
    type=(_FILE, _FILE),
    metavar="CERTIFICATE KEY",
    help="Speak TLS with these PEM files.",
)
@_with_behaviour
def command(
    host: str,
    port: int,
    stats_port: int | None,
    audit: bool,
    audit_suffix: str,
    seed: int,
    first_id: int | None,
    tls: tuple[str, str] | None,
    **options: Any,
) -> None:
    """Play an operator: accept SMPP binds, answer submits, send receipts.

    Prints one line of JSON with its ports once it listens, and one with its counters at the end.
    """
    smsc = SimulatedSmsc(
        _behaviour(options),
        host=host,
        port=port,
        audit=Audit(audit_suffix) if audit else None,
        seed=seed,
        # Ids of an operator started anew must not meet those of its former life.
        first_id=first_id if first_id is not None else int(time.time() * 1000),
        tls=_context(*tls) if tls else None,
    )
    uvloop.run(_serve(smsc, stats_port))


def _context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def _serve(smsc: SimulatedSmsc, stats_port: int | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with smsc:
        ports = {"port": smsc.port}
        web = None
        if stats_port is not None:
            web = control(smsc, smsc.host, stats_port)
            await web.start()
            ports["stats_port"] = web.port
        click.echo(msgspec.json.encode(ports).decode())
        await stop.wait()
        if web is not None:
            await web.stop()
        click.echo(msgspec.json.encode(smsc.statistics()).decode())
