"""Checks of what keywords need: words that mean something already, answers that cannot be sent,
regions nobody's replies come from.

In: settings whose single values are right, and the file of keywords they name. Out: (path,
sentence) for each problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from phonenumbers import SUPPORTED_REGIONS

from config import settings as s
from config.keyword_files import KeywordFile, read_keywords
from config.policy_files import PolicyFileError
from protocol.errors import UsageError
from protocol.segment import MAX_PARTS, segment

LONGEST: Final = 1_530
"""Characters of an answer: ten parts of the GSM alphabet."""
MOST_PARTS: Final = 10
"""Parts of an answer: one with more would be refused whenever it is to be given."""
_SENDER: Final = "+" + 15 * "0"
"""The longest that stands for a brand nobody gave."""
_ANSWERS: Final = ("stop_answer", "help_answer", "start_answer", "welcome", "confirm_text")


def parts_of(answer: str, brand: str) -> int:
    """Parts of an answer as it is sent; some more than any message has if nobody could send it."""
    try:
        return segment(answer.replace("{brand}", brand or _SENDER)).count
    except UsageError:
        return MAX_PARTS + 1


def check(found: s.Settings) -> Iterator[tuple[str, str]]:
    """Everything wrong with `[account.keywords]`."""
    file = None
    with suppress(PolicyFileError):  # told as the file's own problem
        file = read_keywords(found.policy.keywords)
    for place, account in enumerate(found.account):
        yield from _account(f"account[{place}].keywords", account, file)
    yield from _numbers(found.account)
    for place, carrier in enumerate(found.carrier):
        if carrier.region is not None and carrier.region not in SUPPORTED_REGIONS:
            yield f"carrier[{place}].region", f"{carrier.region!r} is no country's ISO 3166 code"


def _numbers(accounts: Sequence[s.Account]) -> Iterator[tuple[str, str]]:
    """Numbers of ours that two accounts have: replies, and STOPs, would be the last one's."""
    owners: dict[str, str] = {}
    for place, account in enumerate(accounts):
        for index, number in enumerate(account.inbound_numbers):
            owner = owners.setdefault(number.lstrip("+"), account.name)
            if owner != account.name:
                path = f"account[{place}].inbound_numbers[{index}]"
                yield (
                    path,
                    f"{number!r} belongs to account {owner!r} already; replies have one owner",
                )


def _account(path: str, account: s.Account, file: KeywordFile | None) -> Iterator[tuple[str, str]]:
    words = account.keywords
    for name in _ANSWERS:
        text = getattr(words, name)
        if text is None:
            continue
        if "{{" in text:
            yield f"{path}.{name}", "an answer has no placeholders but {brand}"
        if len(text) > LONGEST:
            yield f"{path}.{name}", f"{len(text)} characters; an answer has at most {LONGEST}"
        elif (parts := parts_of(text, words.brand)) > MOST_PARTS:
            yield f"{path}.{name}", f"{parts} parts; an answer has at most {MOST_PARTS}"
    # It is put into answers, which are texts with placeholders: `{{` would want a value nobody has,
    # and the answer, a STOP's confirmation, be refused.
    if "{" in words.brand or "}" in words.brand:
        yield f"{path}.brand", "a brand has no braces: they mark what is filled in"
    if words.double_opt_in and not words.welcome:
        yield f"{path}.double_opt_in", "there is no `welcome`, so JOIN subscribes nobody; write one"
    if file is None:
        return
    taken = {
        word.casefold(): one.kind
        for one in file.words
        if one.kind != "start"  # "text START to subscribe" is common, and harmless
        for word in (*one.words, *one.whole)
    }
    for place, word in enumerate(words.join):
        kind = taken.get(word.strip().casefold())
        if kind is not None:
            yield f"{path}.join[{place}]", f"{word!r} means {kind} already; choose another word"
        elif not any(map(str.isalnum, word)):
            yield f"{path}.join[{place}]", "a keyword has at least one letter or digit"
    shipped = (words.stop_answer, words.help_answer, words.start_answer)
    if words.language not in file.answers and None in shipped:
        yield (
            f"{path}.language",
            f"there are no answers in {words.language!r}, only in "
            f"{', '.join(sorted(file.answers))}; give stop_answer, help_answer and start_answer",
        )
