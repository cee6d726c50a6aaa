"""The pages made from tables say what the tables say (`make docs` renews them)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from config.reference import page
from gateway import VERSION
from gateway.commands.reference import metrics_page, reasons_page

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("name", "made"),
    [("configuration.md", page), ("metrics.md", metrics_page), ("reasons.md", reasons_page)],
)
def test_the_page_is_what_the_table_says(name: str, made: object) -> None:
    assert callable(made)
    assert (DOCS / name).read_text("utf-8") == made(), "run `make docs`"


def test_there_is_one_version() -> None:
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == VERSION
