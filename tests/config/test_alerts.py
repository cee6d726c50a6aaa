"""Alert rules speak of metrics there are, by labels they have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.metrics import TABLE, Row

RULES = Path(__file__).parents[2] / "config/prometheus/alerts.yml"

NAMES: dict[str, Row] = {
    row.name + suffix: row
    for row in TABLE
    for suffix in (("_bucket", "_sum", "_count") if row.kind == "histogram" else ("",))
}


def rules() -> list[str]:
    return RULES.read_text("utf-8").split("- alert: ")[1:]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.split()[0])
def test_an_alert_can_fire(rule: str) -> None:
    expr = rule.partition("expr:")[2].partition("annotations:")[0]
    names = re.findall(r"\baldis_\w+", expr)
    assert names
    rows = [NAMES[name] for name in names]
    for name, selector in re.findall(r"\b(aldis_\w+)\{([^}]*)\}", expr):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
            assert label in NAMES[name].labels
    for label in re.findall(r"\$labels\.(\w+)", rule):
        assert any(label in row.labels for row in rows)


def test_moderators_are_called_after_five_minutes() -> None:
    (rule,) = [rule for rule in rules() if "aldis_moderation_oldest_seconds" in rule]
    assert "> 300" in rule
