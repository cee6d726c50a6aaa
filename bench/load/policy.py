"""`policy`: what all rules together cost. The same campaign twice: once where no policy concerns
the account, once with every one of them on and the ledgers full.

On are: moderation of every text against thousands of stop-words, an opt-out ledger of millions,
quiet hours by country and zone, a frequency cap, suppression, a sender registry, send windows and
caps of the carrier, rate and caps of the account. Nobody is held or refused: what is measured is
the judging.
"""

import random
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.load import batch
from bench.load.site import SiteSettings
from gateway.store.sqlite import schema

_LETTERS: Final = "bcdfghjkmnpqrstvwxz"  # none looks like another
_RUSSIAN: Final = "бгджйлфцшщэюя"
_OPTED_OUT: Final = 88_000_000_000
"""Where the ledger's numbers begin: none is among those written to."""

OPT_OUTS: Final = """
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
INSERT INTO opt_outs (account, number, sender, category, at, source, proof, position)
SELECT 1, ? + i * 7, '*', '*', ?, 'import', NULL, i + 1 FROM n
"""


def words(count: int) -> str:
    """A stop-word list, as TOML; no text of `messages.TEXTS` has one of them."""
    letters = random.Random(1)
    made = {
        "q" * 2 + "".join(letters.choices(alphabet, k=letters.randint(8, 12)))
        for alphabet in (_LETTERS, _RUSSIAN)
        for _ in range(count)
    }
    entries = ", ".join(f'"{word}"' for word in sorted(made)[:count])
    return f"""\
name = "bench"
language = "en"
version = "2026-01-01"
[[classes]]
name = "all"
as_of = 2026-01-01
source = "made up"
entries = [{entries}]
"""


def hours(now: float) -> str:
    """Quiet hours that are over for the next hours, whatever the time of day: a rule for each
    country, by its clocks, so that the judging is the real one."""
    rules = []
    for country, offsets in (("RU", (2, 12)), ("FR", (1, 2)), ("SE", (1, 2)), ("DE", (1, 2))):
        # Open where it is earliest and where it is latest.
        first = time.gmtime(now + (offsets[0] - 2) * 3600).tm_hour
        last = time.gmtime(now + (offsets[1] + 3) * 3600).tm_hour
        rules.append(f"""\
[[rule]]
name = "{country.lower()}"
countries = ["{country}"]
source = "made up"
windows = [{{ start = "{first:02d}:00", end = "{last:02d}:00" }}]
""")
    return f"""\
date = 2026-01-01
exempt = ["transactional", "service"]
[[rule]]
name = "default"
source = "made up"
windows = [{{ start = "00:00", end = "24:00" }}]
{"".join(rules)}"""


def prepare(directory: Path, *, stopwords: int, opt_outs: int) -> None:
    """The files of the rules, and a ledger that is full."""
    (directory / "words.toml").write_text(words(stopwords))
    (directory / "hours.toml").write_text(hours(time.time()))
    path = directory / "aldis.db"
    schema.make_directory(path)
    connection = schema.open_writer(path, "NORMAL", 256 << 20)
    schema.migrate(connection)
    connection.execute("BEGIN")
    connection.execute("INSERT INTO names (id, kind, name) VALUES (1, 'account', 'acme')")
    connection.execute(OPT_OUTS, (opt_outs, _OPTED_OUT, int(time.time()) * 1_000_000))
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def ruled(site: SiteSettings, *, stopwords: int, opt_outs: int) -> SiteSettings:
    """The same site with all policies on."""
    return msgspec.structs.replace(
        site,
        account="""\
moderation = { mode = "automatic" }
quiet_hours = "strict"
frequency = [{ messages = 30, period = "7d" }]
suppress_after = 3
rate = 1000000.0
caps = { minute = 100000000, hour = 1000000000, day = 1000000000 }
""",
        carrier="""\
send_windows = [{ start = "00:00", end = "24:00" }]
caps = { minute = 100000000, hour = 1000000000, day = 1000000000 }
""",
        extra="""
[policy]
stopwords = ["./words.toml"]
quiet_hours = "./hours.toml"
""",
        prepare=partial(prepare, stopwords=stopwords, opt_outs=opt_outs),
    )


async def run(
    settings: SiteSettings,
    *,
    count: int,
    recipients: int,
    connections: int,
    text: str,
    stopwords: int,
    opt_outs: int,
    turns: int,
) -> dict[str, Any]:
    """Each turn without and with policies; medians of both and their ratio."""
    measured: dict[str, list[dict[str, Any]]] = {"without": [], "with": []}
    for _ in range(turns):
        for name, site in (
            ("without", settings),
            ("with", ruled(settings, stopwords=stopwords, opt_outs=opt_outs)),
        ):
            figures = await batch.run(
                site,
                count=count,
                recipients=recipients,
                connections=connections,
                text=text,
                category="advertising",
            )
            measured[name].append(figures)
    found: dict[str, Any] = {}
    for figure in ("delivered_per_second", "gateway_cpu_us_per_message", "accepted_per_second"):
        for name, runs in measured.items():
            found[f"{figure}_{name}"] = [run[figure] for run in runs]
        found[f"{figure}_ratio"] = round(
            _median([run[figure] for run in measured["with"]])
            / _median([run[figure] for run in measured["without"]]),
            3,
        )
    found["complete"] = all(run["complete"] for runs in measured.values() for run in runs)
    found["peak_rss_mib"] = {
        name: max(run["gateway_peak_rss_mib"] for run in runs) for name, runs in measured.items()
    }
    return found


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
