"""Pages made from the gateway's own tables: metrics and reasons.

In: `gateway.metrics.TABLE`, `gateway.errors.REASONS`. Out: Markdown, kept in docs/ and compared
with the tables by a test.
"""

from __future__ import annotations

from gateway.errors import REASONS
from gateway.metrics import TABLE
from protocol.constants import COMMAND_STATUS


def metrics_page() -> str:
    """docs/metrics.md"""
    lines = [
        "# Metrics",
        "",
        "Made from `gateway/metrics.py` by `make docs`; do not edit.",
        "Served at `/metrics` on the `[ops]` port.",
        "",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for row in TABLE:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(f"| `{row.name}` | {row.kind} | {labels} | {row.help} |")
    return "\n".join(lines) + "\n"


def reasons_page() -> str:
    """docs/reasons.md"""
    lines = [
        "# Reasons",
        "",
        "Made from `gateway/errors.py` by `make docs`; do not edit.",
        "Why a message was refused, or did not arrive: the `code` in `reason` objects, in",
        "`ineligible` lists and in problem+json. *Final* says that trying again cannot help.",
        "",
        "| code | HTTP | SMPP | final | meaning |",
        "|---|---|---|---|---|",
    ]
    for reason in REASONS.values():
        status = COMMAND_STATUS[reason.command_status][0]
        final = "yes" if reason.permanent else "no"
        lines.append(f"| `{reason.code}` | {reason.http} | `{status}` | {final} | {reason.text} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    from config.reference import page

    Path("docs/metrics.md").write_text(metrics_page(), "utf-8")
    Path("docs/reasons.md").write_text(reasons_page(), "utf-8")
    Path("docs/configuration.md").write_text(page(), "utf-8")
