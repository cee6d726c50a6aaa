"""What admission costs a message, check by check: without policies, and with all of them on.

In: how many stop-words and opt-outs. Out: CPU microseconds a message for each check and in all, as
a table and `bench/results/<date>-admission.json`. The real gateway's world on a real store, filled;
nothing is submitted. Run: `python -m bench.admission`.
"""

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

import click
import uvloop

from bench.load import messages, policy
from bench.load.report import RESULTS, report
from bench.load.site import UNRULED, SiteSettings
from config.load import loads
from gateway.admission import ORDER
from gateway.app import App, clock
from gateway.draft import Ask, Draft
from gateway.model import Category

LIST: Final = 1_000
_CARRIER: Final = """
[[carrier]]
name = "operator"
hosts = ["127.0.0.1:1"]
system_id = "aldis"
[[route]]
name = "main"
carriers = ["operator"]
"""


def configuration(site: SiteSettings, directory: Path) -> str:
    return f"""
[http]
port = 0
[ops]
port = 0
[store]
path = "{directory}/aldis.db"
[[account]]
name = "acme"
{site.account or UNRULED}
{_CARRIER}
{site.extra}
"""


async def measure(site: SiteSettings, text: str, rounds: int) -> dict[str, float]:
    """Best CPU µs a message of each check, over lists of `LIST`; and of all together."""
    directory = Path(tempfile.mkdtemp(prefix="aldis-bench-"))
    try:
        if site.prepare is not None:
            await asyncio.to_thread(site.prepare, directory)
        app = App(loads(configuration(site, directory), {}, directory=directory))
        await app.start()
        try:
            while not app.store._memory.opt_outs.marks.ready:  # noqa: ASYNC110  (a bench)
                await asyncio.sleep(0.1)
            return await _rounds(app, text, rounds)
        finally:
            await app.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _rounds(app: App, text: str, rounds: int) -> dict[str, float]:
    (account,) = app.settings.account
    best: dict[str, float] = {}
    serial = 0
    for turn in range(rounds):
        spent: dict[str, float] = {}
        started = time.thread_time()
        drafts = []
        for place in range(LIST):
            serial += 1
            values = {"name": "Anna", "n": str(serial)} if "{{" in text else None
            # Other numbers each time: a memory of numbers must not help.
            to = messages.number(turn * LIST + place)
            drafts.append(Draft(to, values, None, place))
        ask = Ask(account, text, clock(), sender="ACME", category=Category.ADVERTISING)
        spent["drafts"] = time.thread_time() - started
        for check in ORDER:
            name = check.__module__.rpartition(".")[2]
            before = time.thread_time()
            result: Any = check(ask, drafts, app.world)
            drafts = await result if isinstance(result, Awaitable) else result
            spent[name] = spent.get(name, 0.0) + time.thread_time() - before
        if len(drafts) != LIST:
            raise RuntimeError(f"{LIST - len(drafts)} of {LIST} were refused")
        spent["in all"] = sum(spent.values())
        for name, seconds in spent.items():
            micros = seconds / LIST * 1e6
            best[name] = min(best.get(name, micros), micros)
    return {name: round(micros, 2) for name, micros in best.items()}


@click.command()
@click.option("--stopwords", default=20_000, show_default=True)
@click.option("--optouts", "opt_outs", default=10_000_000, show_default=True)
@click.option("--rounds", default=60, show_default=True, help=f"Lists of {LIST}; the best counts.")
@click.option("--keep/--no-keep", default=True, help="Whether to write the JSON.")
def command(stopwords: int, opt_outs: int, rounds: int, keep: bool) -> None:
    """CPU time of admission a message, check by check."""
    ruled = policy.ruled(SiteSettings(), stopwords=stopwords, opt_outs=opt_outs)
    figures: dict[str, Any] = {}
    logging.getLogger("aldis").setLevel(logging.ERROR)  # nobody answers where the carrier should be
    for kind in ("fixed", "templated"):
        for name, site in (("none", SiteSettings()), ("all", ruled)):
            text = messages.TEXTS[kind, "gsm"]
            found = uvloop.run(measure(site, text, rounds))
            figures |= {f"{kind}, {name}: {check}": cost for check, cost in found.items()}
    settings = {"stopwords": stopwords, "opt_outs": opt_outs, "rounds": rounds}
    report("admission", settings, figures, RESULTS if keep else None)


if __name__ == "__main__":
    command(prog_name="python -m bench.admission")
