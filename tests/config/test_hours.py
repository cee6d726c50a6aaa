from __future__ import annotations

from pathlib import Path

import pytest

from config.hours import read_quiet_hours, read_zones
from config.load import ConfigProblems, load, loads
from config.policy_files import PolicyFileError

HEAD = 'date = 2026-11-26\nexempt = ["service"]\n'


def problems(tmp_path: Path, text: str, zones: bool = False) -> list[str]:
    file = tmp_path / "own.toml"
    file.write_text(text)
    read = read_zones if zones else read_quiet_hours
    with pytest.raises(PolicyFileError) as error:
        read(str(file))
    return [problem.removeprefix(str(file)) for problem in error.value.problems]


def rule(*lines: str, windows: str = '{ start = "08:00", end = "20:00" }') -> str:
    return "\n".join(
        ["[[rule]]", 'name = "x"', 'source = "s"', f"windows = [{windows}]", *lines, ""]
    )


def test_the_shipped_rules_can_be_read_and_say_where_they_come_from() -> None:
    hours = read_quiet_hours("quiet_hours")
    assert {one.name for one in hours.rule} >= {"default", "us", "fr_strict", "ru"}
    assert hours.exempt == ("transactional", "service")
    assert all(row.source for row in read_zones("zones").numbers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + rule('countries = ["ZZ"]'), ":7: `ZZ` is no country with phone numbers"),
        (
            HEAD + rule('categories = ["sercive"]'),
            ":7: `categories[0]`: invalid enum value 'sercive'",
        ),
        (HEAD + rule('categories = ["service"]'), ":7: `service` is exempt in this file"),
        (HEAD + rule('holidays = { country = "ZZ" }'), ":7: no holidays are known of `ZZ`"),
        (
            HEAD + rule('holidays = { country = "FR", subdivision = "Q" }'),
            ":7: FR has no part `Q`; known: 57,",
        ),
        (HEAD + rule("strict = true"), ":7: unknown key `strict`"),
        (HEAD + rule(windows=""), ":6: rule `x` never lets anything pass"),
        (
            HEAD + rule(windows='{ start = "08:00", end = "08:00" }'),
            ':6: the window is empty or endless; a whole day is "00:00" to "24:00"',
        ),
        (
            HEAD + rule(windows='{ start = "24:00", end = "08:00" }'),
            ':6: a day begins at "00:00"',
        ),
        (
            HEAD + rule(windows='{ start = "08:00", end = "20:00", days = [] }'),
            ":6: a window needs a day",
        ),
        (HEAD + rule(windows='{ start = "8:00", end = "20:00" }'), ":6: `start`: "),
        (
            HEAD
            + rule(
                windows='{ start = "08:00", end = "12:01" }, { start = "12:00", end = "20:00" }'
            ),
            ":6: window 2 of rule `x` overlaps window 1; join them",
        ),
        (
            # Sunday night runs into Monday
            HEAD
            + rule(
                windows='{ start = "22:00", end = "06:00", days = ["sun"] }, '
                '{ start = "05:00", end = "20:00", days = ["mon"] }'
            ),
            ":6: window 2 of rule `x` overlaps window 1; join them",
        ),
        (HEAD + rule() + rule(), ":8: a second rule is called `x`; rename one"),
        (
            HEAD + rule() + rule().replace('"x"', '"y"'),
            ":7: rule `x` is for all countries, all categories, standard already; take one out",
        ),
        ("date = 2026-11-26\n", ": `rule` is missing"),
        (HEAD + "rule = 5", ":3: `rule`: expected `array`"),
        ("date = [", ": cannot be read: "),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1 and found[0].startswith(expected), found


def test_windows_that_touch_do_not_overlap(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    windows = '{ start = "08:00", end = "12:00" }, { start = "12:00", end = "08:00" }'
    file.write_text(HEAD + rule(windows=windows))
    assert len(read_quiet_hours(str(file)).rule[0].windows) == 2


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            'prefixes = ["79"]\nzones = ["Europe/Moskow"]',
            ":4: `Europe/Moskow`: no such time zone; did you mean `Europe/Moscow`?",
        ),
        ('prefixes = ["79", "79"]\nzones = ["UTC"]', ":3: the prefix 79 stands twice"),
        ('prefixes = ["+79"]\nzones = ["UTC"]', ":3: `prefixes[0]`: expected "),
        ('prefixes = ["79"]\nzones = []', ":4: numbers are somewhere; name a zone"),
    ],
)
def test_what_is_wrong_with_a_zone_is_told_with_its_line(
    tmp_path: Path, row: str, expected: str
) -> None:
    text = f'date = 2026-11-26\n[[numbers]]\n{row}\nsource = "s"\n'
    found = problems(tmp_path, text, zones=True)
    assert len(found) == 1 and found[0].startswith(expected), found


def test_the_configuration_names_the_file_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(HEAD + rule('countries = ["ZZ"]'))
    config = tmp_path / "aldis.toml"
    config.write_text('[policy]\nquiet_hours = "./own.toml"\n')
    with pytest.raises(ConfigProblems) as error:
        load(config, {})
    (problem,) = error.value.problems
    assert problem == (
        f"{config}:2: {tmp_path / 'own.toml'}:7: `ZZ` is no country with phone numbers"
    )


def test_an_unknown_name_is_told_what_is_shipped() -> None:
    with pytest.raises(ConfigProblems, match=r"cannot be read.*shipped: .*quiet_hours.*zones"):
        loads('[policy]\nquiet_hours = "mine"\n', {})
