"""Lists as documents and files: what is wrong with them is told by place."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import ConfigProblems, loads
from gateway.errors import ConfigError
from gateway.policy.stopwords import lists
from gateway.policy.stopwords.lists import (
    ListDoc,
    ListProblems,
    WordClass,
    compile_list,
    load_lists,
)

GOOD = """
name = "mine"
language = "ru"
version = "7"
[[classes]]
name = "gambling"
as_of = 2026-11-26
source = "Contract 15, annex 2"
entries = ["казино", "ставк*"]
"""


def doc(*entries: str, exceptions: tuple[str, ...] = ()) -> ListDoc:
    group = WordClass(name="any", entries=list(entries), exceptions=list(exceptions))
    return ListDoc(language="ru", classes=[group])


def test_what_is_wrong_is_told_by_place() -> None:
    with pytest.raises(ListProblems) as refused:
        compile_list("x", "1", doc("казино", "я", "kазино", "Казино*", exceptions=("*",)))
    assert [problem.place for problem in refused.value.problems] == [
        (0, "entries", 1),
        (0, "entries", 2),
        (0, "exceptions", 0),
    ]
    assert refused.value.problems[1].detail == (
        "looks the same as class any, entries 1; remove one"
    )


def test_not_all_problems_are_told() -> None:
    with pytest.raises(ListProblems) as refused:
        compile_list("x", "1", doc(*["я"] * 50))
    assert (len(refused.value.problems), refused.value.more) == (lists.SHOWN, 30)


def test_a_list_has_a_limit() -> None:
    with pytest.raises(ListProblems) as refused:
        compile_list("x", "1", doc(*[f"w{n}" for n in range(lists.MOST_ENTRIES + 1)]))
    assert "50001 entries; a list has at most 50000" in refused.value.problems[0].detail


def test_a_version_is_its_content() -> None:
    one, other = compile_list("x", "1", doc("казино")), compile_list("x", "1", doc("покер"))
    assert one.digest != other.digest
    assert one.entries == 1
    assert lists.from_json(lists.to_json(one.doc)) == one.doc


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    (mine,) = load_lists((str(path),))
    assert (mine.name, mine.version, mine.entries) == ("mine", "7", 2)
    assert mine.classes[0].name == "gambling"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (GOOD.encode("cp1251"), "is not UTF-8; save the file as UTF-8"),
        (b"name = ", "cannot be read as a stop-word list"),
        (GOOD.replace("entries", "words").encode(), "unknown field `words`"),
        (GOOD.replace('"7"', '""').encode(), "version"),
        (GOOD.replace("казино", "я").encode(), "class gambling, entries 1: 1 letters"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=complaint) as refused:
        load_lists((str(path), "en"))
    assert str(path) in refused.value.problems[0]


def test_two_files_may_not_have_one_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('"mine"', '"en"'), "utf-8")
    with pytest.raises(ConfigError, match="2 lists are called `en`"):
        load_lists((str(path), "en"))


def test_the_configuration_names_lists_that_exist(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, "utf-8")
    found = loads(f'[policy]\nstopwords = ["ru", "en", "{path}"]', {})
    assert found.policy.stopwords == ("ru", "en", str(path))
    with pytest.raises(
        ConfigProblems, match=r"fr.toml: no such stop-word list; shipped are en, ru"
    ):
        loads('[policy]\nstopwords = ["fr"]', {})
