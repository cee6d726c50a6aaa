"""A run's findings for a person, a program or a page.

In: a `Report`. Out: a table, JSON or Markdown. Numbers are masked and texts left out unless
--show-texts asks for them; a password is never shown. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from gateway.commands.conformance.findings import Outcome, Step
from gateway.commands.conformance.profile import profile
from gateway.commands.conformance.run import Report, Row
from gateway.commands.conformance.trace import Seen
from protocol.address import mask
from protocol.dump import dump


def table(report: Report) -> str:
    """Aligned columns, the details and PDUs of a step below it, then the proposed profile."""
    return "\n".join(_table(report))


def _table(report: Report) -> Iterator[str]:
    yield _headline(report)
    yield ""
    width = max(len(row.step.name) for row in report.rows)
    previous = ""
    for row in report.rows:
        result = row.result
        # Twenty steps left out for one reason are no news twenty times.
        if result.outcome is Outcome.SKIPPED and result.seen == previous and not row.pdus:
            yield f'{row.step.name:<{width}}  {result.outcome:<8} "'
            continue
        previous = result.seen if result.outcome is Outcome.SKIPPED else ""
        yield f"{row.step.name:<{width}}  {result.outcome:<8} {result.seen}"
        if result.outcome is Outcome.FAILED:
            yield f"{'':<{width}}           expected: {row.step.expects} ({_clause(row.step)})"
        for name, seen in result.details:
            yield f"{'':<{width}}           {name}: {seen}"
        for line in _dumps(report, row):
            yield f"{'':<{width}}  {line}"
    yield ""
    yield _summary(report)
    proposed = profile(report)
    if proposed is not None:
        yield f"\n{proposed}".rstrip()


def markdown(report: Report) -> str:
    """A page to send to the operator, with what was expected and where that stands."""
    return "\n".join(_markdown(report))


def _markdown(report: Report) -> Iterator[str]:
    yield "# SMPP conformance\n"
    yield f"{_headline(report)}\n"
    yield "| step | what | expected | SMPP 3.4 | outcome | seen |"
    yield "|---|---|---|---|---|---|"
    for row in report.rows:
        step, result = row.step, row.result
        seen = "<br>".join([result.seen, *(f"{name}: {what}" for name, what in result.details)])
        cells = (step.name, step.does, step.expects, step.clause, str(result.outcome), seen)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield f"\n{_summary(report)}"
    for row in report.rows:
        lines = [*_dumps(report, row)]
        if lines:
            yield f"\n## {row.step.name}\n"
            yield "```"
            yield from lines
            yield "```"
    proposed = profile(report)
    if proposed is not None:
        yield f"\n## Proposed profile\n\n```toml\n{proposed}```"


def as_json(report: Report) -> str:
    """Everything, for programs. Times in seconds."""
    asked = report.asked
    found = {
        "peer": asked.peer,
        "system_id": asked.system_id,
        "to": _numbers(report),
        "rate": asked.rate,
        "pdus": report.pdus,
        "seconds": round(report.seconds, 3),
        "interrupted": report.interrupted,
        "bound": not report.not_bound,
        "exit_code": report.exit_code,
        "counts": {str(outcome): report.count(outcome) for outcome in Outcome},
        "steps": [_step(report, row) for row in report.rows],
        "profile": profile(report),
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


def _step(report: Report, row: Row) -> dict[str, object]:
    found: dict[str, object] = {
        "name": row.step.name,
        "does": row.step.does,
        "expects": row.step.expects,
        "clause": row.step.clause,
        "outcome": str(row.result.outcome),
        "seen": row.result.seen,
        "details": [{"name": name, "seen": seen} for name, seen in row.result.details],
    }
    if report.asked.verbose:
        found["pdus"] = [*_dumps(report, row)]
    return found


def plan(steps: Sequence[Step]) -> str:
    """The plan itself, for whoever wants to know before anything is sent."""
    lines = []
    for step in steps:
        needs = " (needs --to)" if step.submits else ""
        lines.append(f"{step.name:<22}{step.does}{needs}")
        lines.append(f"{'':<22}expects {step.expects} ({_clause(step)})")
    return "\n".join(lines)


def _clause(step: Step) -> str:
    return f"SMPP 3.4 {step.clause}" if step.clause[:1].isdigit() else step.clause


def _headline(report: Report) -> str:
    asked = report.asked
    tls = " over TLS" if asked.tls is not None else ""
    to = f"to {', '.join(_numbers(report))}" if asked.to else "without --to: nothing was submitted"
    return (
        f"{asked.peer}{tls} as {asked.system_id}, {asked.bind}, SMPP {asked.interface}, {to}; "
        f"{report.pdus} PDUs at {asked.rate:g}/s in {report.seconds:.1f} s"
    )


def _numbers(report: Report) -> list[str]:
    asked = report.asked
    return [number if asked.show_texts else mask(number) for number in asked.to]


def _summary(report: Report) -> str:
    counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in Outcome)
    words = f"{counts}."
    if report.not_bound:
        words += f" Could not bind: {report.not_bound}."
    if report.interrupted:
        words += " Interrupted: this is what was found so far."
    if report.left:
        words += f" {report.left} inbound message(s) came and were left with the operator."
    if report.not_kept:
        words += f" {report.not_kept} PDUs were seen and not kept."
    return words


def _dumps(report: Report, row: Row) -> Iterator[str]:
    if report.asked.verbose:
        for seen in row.pdus:
            yield from _dump(seen, masked=not report.asked.show_texts)


def _dump(seen: Seen, masked: bool) -> Iterator[str]:
    arrow = ">" if seen.ours else "<"
    for place, line in enumerate(dump(seen.octets, masked=masked).splitlines()):
        yield f"{arrow if place == 0 else ' '} {line}"
