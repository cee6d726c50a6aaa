"""The files of keywords, and what accounts may make of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.keyword_files import read_keywords, read_mandatory
from config.load import ConfigProblems, load, loads
from config.policy_files import SHIPPED, PolicyFileError


def problems(settings: str) -> list[str]:
    with pytest.raises(ConfigProblems) as error:
        loads(
            f'[[account]]\nname = "shop"\n[account.keywords]\n{settings}\n', {}, name="aldis.toml"
        )
    return error.value.problems


def test_the_shipped_files_have_a_date_and_a_source() -> None:
    for file in (read_keywords("keywords"), read_mandatory()):
        assert file.date.year >= 2026
        assert file.source.strip()


@pytest.mark.parametrize(
    ("settings", "line", "says"),
    [
        ('join = ["Stop"]', 4, "'Stop' means stop already; choose another word"),
        ('join = ["INFO"]', 4, "'INFO' means help already"),
        ('join = ["yes"]', 4, "'yes' means yes already"),
        ('join = ["!"]', 4, "at least one letter or digit"),
        ("double_opt_in = true", 4, "no `welcome`, so JOIN subscribes nobody; write one"),
        ('help_answer = "Dear {{name}}"', 4, "an answer has no placeholders but {brand}"),
        (f'stop_answer = "{"я" * 671}"', 4, "11 parts; an answer has at most 10"),
        (f'brand = "{"🐦" * 60}"\nstop_answer = "{"{brand}" * 200}"', 5, "parts; an answer has at"),
        ('brand = "{{x}}"', 4, "a brand has no braces"),
        ('brand = "{"', 4, "a brand has no braces"),
        (f'welcome = "{"x" * 1531}"', 4, "1531 characters; an answer has at most 1530"),
        ('language = "fi"', 4, "there are no answers in 'fi', only in de, en,"),
        ("answers_per_hour = 0", 4, "`answers_per_hour`"),
    ],
)
def test_what_an_account_cannot_have(settings: str, line: int, says: str) -> None:
    (problem,) = problems(settings)
    assert problem.startswith(f"aldis.toml:{line}: ")
    assert says in problem


def test_a_number_of_ours_has_one_owner() -> None:
    text = """[[account]]
name = "shop"
inbound_numbers = ["+4930111111", "4930111111"]
[[account]]
name = "bank"
inbound_numbers = ["2020", "4930111111"]
"""
    with pytest.raises(ConfigProblems) as error:
        loads(text, {}, name="aldis.toml")
    (problem,) = error.value.problems
    assert problem.startswith("aldis.toml:6: ")
    assert "'4930111111' belongs to account 'shop' already; replies have one owner" in problem


def test_a_region_is_one_that_has_numbers() -> None:
    text = '[[carrier]]\nname = "op1"\nhosts = ["h:1"]\nsystem_id = "s"\nregion = "{}"\n'
    with pytest.raises(ConfigProblems) as error:
        loads(text.format("XX"), {}, name="aldis.toml")
    assert any("'XX' is no country's ISO 3166 code" in one for one in error.value.problems)
    (carrier,) = loads(text.format("FR"), {}).carrier
    assert carrier.region == "FR"


def test_what_an_account_can_have() -> None:
    text = """[[account]]
name = "shop"
[account.keywords]
language = "fi"
stop_answer = "a"
help_answer = ""
start_answer = "c"
join = ["START", "Küsse"]
welcome = "{brand}: hi"
double_opt_in = true
"""
    (account,) = loads(text, {}).account
    assert account.keywords.join == ("START", "Küsse")


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        ("[answers.en]", "[answers.xx]", True, "none in English"),
        ('kind = "stop"', 'kind = "help"', True, "none is of kind `stop`"),
        ('kind = "yes"', 'kind = "maybe"', True, "invalid enum value 'maybe'"),
        ("confirm =", "confirmed =", True, "unknown key `confirmed`"),
        ("date = ", "day = ", False, "day"),
    ],
)
def test_a_file_of_ones_own_is_checked(
    tmp_path: Path, before: str, after: str, line: bool, says: str
) -> None:
    shipped = (SHIPPED / "keywords.toml").read_text("utf-8")
    own = tmp_path / "own.toml"
    own.write_text(shipped.replace(before, after), "utf-8")
    with pytest.raises(PolicyFileError) as error:
        read_keywords(str(own))
    assert says in str(error.value)
    assert str(own) in str(error.value)
    config = tmp_path / "aldis.toml"
    config.write_text('[policy]\nkeywords = "./own.toml"\n', "utf-8")
    with pytest.raises(ConfigProblems):
        load(config, {})
    own.write_text(shipped, "utf-8")
    assert load(config, {}).policy.keywords == str(own)
