"""`aldis explain`: why a message would, or would not, leave.

In: a message, or the id of one, and a running gateway's HTTP API with a key. Out: each step's
decision with its rule, as a table.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

import click

_PATIENCE: Final = 30.0
_MOST: Final = 1 << 20


@click.command()
@click.argument("message", required=False)
@click.option("--to", help="The recipient's number.")
@click.option("--from", "sender", help="The sender; default: the account's.")
@click.option("--text", help="The text.")
@click.option("--category", help="transactional, service, informational or advertising.")
@click.option("--template", help="Name of a template.")
@click.option(
    "--http",
    default="http://127.0.0.1:8080",
    show_default=True,
    envvar="ALDIS_HTTP",
    metavar="URL",
    help="The gateway's HTTP API.",
)
@click.option(
    "--key",
    envvar="ALDIS_KEY",
    required=True,
    help="API key; better in the environment: ALDIS_KEY.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as it comes.")
def explain(
    message: str | None,
    to: str | None,
    sender: str | None,
    text: str | None,
    category: str | None,
    template: str | None,
    http: str,
    key: str,
    as_json: bool,
) -> None:
    """Tell why a message would, or would not, leave now: MESSAGE is the id of one that was
    submitted (msg_...), or give --to and --text of one that was not. Nothing is sent or stored."""
    body: dict[str, str] = {
        name: value
        for name, value in (
            ("id", message), ("to", to), ("from", sender), ("text", text), ("category", category),
            ("template", template),
        )
        if value is not None
    }  # fmt: skip
    if message is None and (to is None or (text is None and template is None)):
        raise click.UsageError("give a message's id, or --to and --text")
    answer = _ask(http, key, body)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        _print(answer)


def _ask(http: str, key: str, body: dict[str, str]) -> dict[str, Any]:
    if urllib.parse.urlsplit(http).scheme not in ("http", "https"):
        raise click.UsageError("--http is an http address")
    request = urllib.request.Request(  # noqa: S310  (the scheme was looked at)
        f"{http.rstrip('/')}/v1/messages/explain",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
            found: dict[str, Any] = json.loads(answer.read(_MOST))
            return found
    except urllib.error.HTTPError as error:
        raise click.ClickException(_complaint(error)) from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise click.ClickException(f"{http}: {getattr(error, 'reason', error)}") from None


def _complaint(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read(_MOST))
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"


def _print(answer: dict[str, Any]) -> None:
    click.echo(answer["verdict"])
    click.echo()
    width = max(len(step["check"]) for step in answer["steps"])
    for step in answer["steps"]:
        reason = step["reason"]
        said = f"  {reason['code']}: {reason['text']}" if reason else ""
        click.echo(f"  {step['check']:<{width}}  {step['decision']}{said}")
        for name, value in step["changes"].items():
            click.echo(f"  {'':<{width}}    {name}: {value or '-'}")
        for rule in step["rules"]:
            source = f" [{rule['source']}]" if rule["source"] else ""
            click.echo(f"  {'':<{width}}    because {rule['rule']}{source}")
    if answer["carriers"]:
        click.echo()
        click.echo(f"  route {answer['route']}")
        for carrier in answer["carriers"]:
            mark = "takes it" if carrier["takes"] else "does not take it"
            click.echo(f"  {carrier['name']:<{width}}  {mark}: {carrier['why']}")
