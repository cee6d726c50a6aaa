from __future__ import annotations

import pytest

from config.zone_names import zone_problem


@pytest.mark.parametrize("name", ["Europe/Paris", "UTC", "Asia/Yekaterinburg", "Asia/Calcutta"])
def test_names(name: str) -> None:
    assert zone_problem(name) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("europe/paris", "Europe/Paris"),
        ("America/New York", "America/New_York"),
        ("Yekaterinburg", "Asia/Yekaterinburg"),
        ("Europe/Moskow", None),
        ("localtime", None),
        ("../../etc/passwd", None),
        ("", None),
        ("x" * 1_000_000, None),
    ],
)
def test_what_is_none(name: str, meant: str | None) -> None:
    problem = zone_problem(name)
    assert problem is not None and len(problem) < 100
    assert (f"did you mean `{meant}`?" in problem) if meant else ("IANA" in problem)


def test_files_are_told_of_names_spelt_alike() -> None:
    assert zone_problem("Europe/Moskow", spelling=True) == (
        "no such time zone; did you mean `Europe/Moscow`?"
    )
