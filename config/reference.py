"""The configuration's own page: every key with its type, default and sentence.

In: the source of `config.settings` and `config.policies`, the shipped profiles. Out: Markdown.
Sentences are the docstrings beside the fields, which Python forgets, so they are read from the
source: what is documented is what is there.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

import msgspec

from config import base, policies, settings
from config.load import PROFILES

_WHERE = {
    "Gateway": "[gateway]",
    "Http": "[http]",
    "Tls": "[http.tls]",
    "SmppPort": "[[smpp]]",
    "SmppTls": "[smpp.tls]",
    "Ops": "[ops]",
    "StoreSettings": "[store]",
    "Log": "[log]",
    "Webhooks": "[webhooks]",
    "Policy": "[policy]",
    "Account": "[[account]]",
    "Key": "[[account.keys]]",
    "WebhookEndpoint": "[[account.webhooks]]",
    "SmppLogin": "[[account.smpp]]",
    "Moderation": "[account.moderation]",
    "ModerationOverride": "[[account.moderation.overrides]]",
    "Keywords": "[account.keywords]",
    "FrequencyCap": "[[account.frequency]]",
    "AccountCaps": "[account.caps]",
    "Carrier": "[[carrier]]",
    "CarrierTls": "[carrier.tls]",
    "CarrierTlv": "[carrier.tlvs.NAME]",
    "Outbind": "[carrier.outbind]",
    "SendWindow": "[[carrier.send_windows]]",
    "Caps": "[carrier.caps]",
    "CampaignCaps": "[carrier.campaign_caps]",
    "TonNpi": "[carrier.destination], [carrier.source.KIND]",
    "StatusRule": '[carrier.status."0x58"]',
    "Route": "[[route]]",
    "RouteCarrier": "an entry of route.carriers",
}


def page() -> str:
    """The whole page."""
    lines = [
        "# Configuration",
        "",
        "Made from `config/settings.py` and `config/policies.py` by `make docs`; do not edit.",
        "",
        'Durations are written with their unit (`"250ms"`, `"30s"`, `"5m"`, `"4h"`, `"7d"`), sizes',
        'in octets or as `"64KiB"`, `"16MiB"`. A single value can be set from the environment:',
        "`ALDIS_HTTP__PORT=8081` is `port = 8081` in `[http]`. `aldis check-config` names the line",
        "of everything wrong. `SIGHUP` applies changes of accounts, carriers and routes.",
    ]
    sentences = _sentences()
    for name, where in _WHERE.items():
        kind = getattr(settings, name, None) or getattr(policies, name)
        lines += ["", f"## `{where}`", "", inspect.getdoc(kind) or "", ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        for field in msgspec.structs.fields(kind):
            text = sentences[name, field.name].replace("|", "\\|")
            lines.append(f"| `{field.name}` | {_type(field.type)} | {_default(field)} | {text} |")
        if name == "Carrier":
            lines += _profiles()
    return "\n".join(lines) + "\n"


def _profiles() -> Iterator[str]:
    """The shipped profiles: what the head of each file says of it."""
    yield from (
        "",
        "### Shipped profiles",
        "",
        '`profile = "NAME"` takes one of these; what the `[[carrier]]` says itself comes first,',
        "and tables (`tlvs`, `status`, `source`) are merged key by key. They are typical, and",
        "nobody's in particular: `config/carriers/NAME.toml` has each setting with its reason.",
        'Files of your own are named by path (`profile = "./north.toml"`).',
        "",
        "| profile | for | typical | as of |",
        "|---|---|---|---|",
    )
    for file in sorted(PROFILES.glob("*.toml")):
        head = file.read_text("utf-8").partition("\n\n")[0]
        what, _, rest = " ".join(line.lstrip("# ") for line in head.splitlines()).partition(
            " Typical: "
        )
        typical, _, since = rest.partition(" As of ")
        yield f"| `{file.stem}` | {what} | {typical} | {since.partition('.')[0]} |"


def _sentences() -> dict[tuple[str, str], str]:
    """(class, field) -> the docstring beside the field."""
    found = {}
    for node in (
        *ast.parse(inspect.getsource(settings)).body,
        *ast.parse(inspect.getsource(policies)).body,
    ):
        if not isinstance(node, ast.ClassDef):
            continue
        for field, text in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                found[node.name, field.target.id] = " ".join(str(text.value.value).split())
    return found


def _type(annotation: Any) -> str:
    return " or ".join(dict.fromkeys(_names(annotation)))


def _names(annotation: Any) -> Iterator[str]:
    origin, arguments = getattr(annotation, "__origin__", None), _arguments(annotation)
    if hasattr(annotation, "__metadata__"):
        yield from _names(annotation.__origin__)
    elif annotation is type(None):
        return
    elif origin is tuple:
        yield f"list of {_type(arguments[0])}"
    elif origin is dict:
        yield f"table of {_type(arguments[1])}"
    elif arguments and all(isinstance(argument, str) for argument in arguments):
        yield " / ".join(f"`{argument}`" for argument in arguments)
    elif arguments:
        for argument in arguments:
            yield from _names(argument)
    else:
        plain = {"str": "text", "int": "number", "float": "number", "bool": "true / false"}
        name = annotation.__name__
        yield plain.get(name, _WHERE.get(name, name.lower()))


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return tuple(getattr(annotation, "__args__", ()))


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default
    if value is msgspec.NODEFAULT:
        if field.default_factory is msgspec.NODEFAULT:
            return "required"
        value = field.default_factory()
    if value is None or value == ():
        return ""
    if isinstance(value, base.Duration):
        return f'`"{_duration(value)}"`'
    if isinstance(value, base.Size):
        return f'`"{value >> 20}MiB"`'
    if isinstance(value, settings.TonNpi):
        return f"`{{ ton = {value.ton}, npi = {value.npi} }}`"
    if value == {} or (isinstance(value, base.Section) and value == type(value)()):
        return ""
    return f"`{msgspec.json.encode(value).decode()}`"


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


if __name__ == "__main__":
    print(page(), end="")
