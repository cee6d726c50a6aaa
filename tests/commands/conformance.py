"""What the tests of `aldis conformance` share: a run that is quick, and how to ask its report."""

from __future__ import annotations

from typing import Any

from config.load import loads
from config.settings import Carrier
from gateway.commands.conformance.asked import Asked
from gateway.commands.conformance.findings import Result
from gateway.commands.conformance.profile import PASSWORD_VARIABLE, profile
from gateway.commands.conformance.run import Report

NUMBER = "46700000001"
SENDERS = ("+46700000009", "ALDIS", "12345")
PASSWORD = "s3cr3t!"


def asked(port: int, **changes: Any) -> Asked:
    """Wishes for a peer on loopback: fast, and every wait short."""
    given: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "system_id": "aldis",
        "password": PASSWORD,
        "senders": SENDERS,
        "to": (NUMBER,),
        "rate": 1000.0,
        "timeout": 0.5,
        "receipt_wait": 0.5,
        "burst": 10,
    }
    return Asked(**(given | changes))


def result(report: Report, name: str) -> Result:
    """What one step found."""
    (row,) = [row for row in report.rows if row.step.name == name]
    return row.result


def details(report: Report, name: str) -> dict[str, str]:
    """The details of one step."""
    return dict(result(report, name).details)


def failed(report: Report) -> list[str]:
    """Names of the steps that failed."""
    return [row.step.name for row in report.rows if row.result.outcome == "failed"]


def carrier(report: Report) -> Carrier:
    """The proposed profile as the gateway reads it."""
    proposed = profile(report)
    assert proposed is not None
    assert PASSWORD not in proposed
    (found,) = loads(proposed, {PASSWORD_VARIABLE: "x"}).carrier
    return found
