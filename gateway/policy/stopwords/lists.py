"""A stop-word list: the same form as a file, as JSON of the API and in the registry.

In: documents, files of `config/policy/stopwords` or of the operator. Out: `StopList`, ready to be
compiled, or `ListProblems` that say what is wrong with which entry. Reads files, knows no store.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, field

from config.policy_files import stop_list_path
from gateway.errors import ConfigError
from gateway.policy.stopwords.entries import EntryError, Pattern, pattern

MOST_ENTRIES: Final = 50_000
"""Entries of a list: operators' lists have some 20,000; the last step of compiling holds the
interpreter for 1 to 2 ms a thousand."""
MOST_CLASSES: Final = 100
SHOWN: Final = 20
"""Problems of a list that are told; whoever mends these sees the next."""

ClassName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$", examples=["gambling"], max_length=40)
]
OnMatch = Literal["hold", "reject"]


class WordClass(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Entries of one kind: `gambling`, `credit`, `bank` ..."""

    name: ClassName
    source: Annotated[str, Meta(max_length=500)] = ""
    """The rule it serves: a law, a contract, a decision of the house."""
    as_of: date | None = None
    """When it was last held against the source."""
    entries: list[str]
    """Words, stems (`кредит*`), phrases."""
    exceptions: list[str] = field(default_factory=list)
    """What is none of them though it has one: hits within it do not count."""


class ListDoc(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a list says."""

    language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}$", examples=["ru"], max_length=3)]
    """ISO 639 code; for people and metrics, matching does not depend on it."""
    about: Annotated[str, Meta(max_length=1000)] = ""
    on_match: OnMatch = "hold"
    """hold: what has an entry waits for a moderator; reject: it is refused as `stop_word`."""
    classes: Annotated[list[WordClass], Meta(max_length=MOST_CLASSES)]


class _File(ListDoc, kw_only=True):
    """A list as a file."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
    version: Annotated[str, Meta(min_length=1, max_length=40)]


class ListProblem(NamedTuple):
    """One thing that is wrong. `place`: class, `entries` or `exceptions`, which of them."""

    place: tuple[int, str, int]
    detail: str


class ListProblems(ValueError):
    """The list cannot be used."""

    def __init__(self, problems: list[ListProblem], more: int) -> None:
        super().__init__(f"{len(problems) + more} problems")
        self.problems = problems
        self.more = more
        """Problems that are not listed."""


class Compiled(NamedTuple):
    """A class, its entries read."""

    name: str
    patterns: tuple[Pattern, ...]
    exceptions: tuple[Pattern, ...]


class StopList(NamedTuple):
    """A list in force."""

    name: str
    version: str
    doc: ListDoc
    classes: tuple[Compiled, ...]
    digest: bytes
    """Of its content: what was decided under another content was decided about another text."""

    @property
    def entries(self) -> int:
        """How many entries it has, exceptions not counted."""
        return sum(len(one.patterns) for one in self.classes)


def compile_list(name: str, version: str, doc: ListDoc) -> StopList:
    """Read every entry; raises `ListProblems`. About 10 us an entry."""
    problems: list[ListProblem] = []
    entries = sum(len(one.entries) + len(one.exceptions) for one in doc.classes)
    if entries > MOST_ENTRIES:
        raise ListProblems(
            [
                ListProblem(
                    (0, "entries", MOST_ENTRIES),
                    f"{entries} entries; a list has at most {MOST_ENTRIES}, so make several lists",
                )
            ],
            0,
        )
    seen: dict[tuple[str, bool, bool], str] = {}
    compiled = []
    for index, one in enumerate(doc.classes):
        kinds: dict[str, list[Pattern]] = {"entries": [], "exceptions": []}
        for kind, entry, place in _entries(one):
            try:
                read = pattern(entry)
            except EntryError as error:
                problems.append(ListProblem((index, kind, place), str(error)))
                continue
            key = (read.digits, read.stem, kind == "exceptions")
            first = seen.setdefault(key, f"class {one.name}, {kind} {place + 1}")
            if first != f"class {one.name}, {kind} {place + 1}":
                problems.append(
                    ListProblem((index, kind, place), f"looks the same as {first}; remove one")
                )
            kinds[kind].append(read)
        compiled.append(Compiled(one.name, tuple(kinds["entries"]), tuple(kinds["exceptions"])))
    if problems:
        raise ListProblems(problems[:SHOWN], max(0, len(problems) - SHOWN))
    digest = hashlib.blake2b(msgspec.json.encode(doc), digest_size=8).digest()
    return StopList(name, version, doc, tuple(compiled), digest)


def _entries(one: WordClass) -> Iterator[tuple[str, str, int]]:
    for place, entry in enumerate(one.entries):
        yield "entries", entry, place
    for place, entry in enumerate(one.exceptions):
        yield "exceptions", entry, place


def load_lists(names: tuple[str, ...]) -> list[StopList]:
    """The lists of files; raises `ConfigError` with all that is wrong."""
    problems: list[str] = []
    lists: list[StopList] = []
    for name in names:
        path = stop_list_path(name)
        try:
            doc = msgspec.convert(tomllib.loads(path.read_text("utf-8-sig")), _File)
            lists.append(compile_list(doc.name, doc.version, doc))
        except UnicodeDecodeError as error:
            problems.append(f"{path}: octet {error.start} is not UTF-8; save the file as UTF-8")
        except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            problems.append(f"{path}: cannot be read as a stop-word list: {error}")
        except ListProblems as error:
            problems += [f"{path}: {_where(doc, one)}: {one.detail}" for one in error.problems]
    names_seen: dict[str, int] = {}
    for one in lists:
        names_seen[one.name] = names_seen.get(one.name, 0) + 1
    problems += [
        f"[policy] stopwords: {count} lists are called `{name}`; rename all but one"
        for name, count in names_seen.items()
        if count > 1
    ]
    if problems:
        raise ConfigError(problems)
    return lists


def _where(doc: ListDoc, problem: ListProblem) -> str:
    index, kind, place = problem.place
    name = doc.classes[index].name if index < len(doc.classes) else "?"
    return f"class {name}, {kind} {place + 1}"


def to_json(doc: ListDoc) -> dict[str, Any]:
    """As the registry keeps it."""
    found: dict[str, Any] = msgspec.to_builtins(doc)
    return found


def from_json(doc: dict[str, Any]) -> ListDoc:
    """As the registry kept it."""
    return msgspec.convert(doc, ListDoc)
