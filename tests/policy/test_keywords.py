"""Keywords of everybody: every word of the files, in every disguise people and phones give it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.keyword_files import KeywordFile, Words, read_keywords, read_mandatory
from gateway.policy import keywords
from gateway.policy.keywords import Found, Kind, Vocabulary, digest, fold
from protocol.segment import count_only

FILE = read_keywords("keywords")
SHIPPED = Vocabulary(FILE, read_mandatory())

POLICY = {
    ("stop", "en"): "STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT|OPT OUT|REMOVE",
    ("stop", "fr"): "STOP ARRET DESABONNER",
    ("stop", "es"): "DETENER SALIR BAJA ALTO",
    ("stop", "pt"): "PARAR CANCELAR SAIR",
    ("stop", "de"): "STOPP ABMELDEN",
    ("stop", "nl"): "AFMELDEN",
    ("stop", "sv"): "AVSLUTA",
    ("stop", "it"): "ANNULLA CANCELLA",
    ("stop", "tr"): "RET IPTAL",
    ("stop", "ru"): "СТОП ОТПИСКА ОТПИСАТЬСЯ ОТКАЗ НЕТ",
    ("help", None): "HELP INFO AIDE AYUDA AJUDA HILFE AIUTO ПОМОЩЬ",
    ("start", None): "START UNSTOP SUBSCRIBE VOLVER VOLTAR СТАРТ",
    ("yes", None): "YES",
}
"""As the design lists them."""


def words() -> list[tuple[str, str | None, str]]:
    return [
        (kind, language, word)
        for (kind, language), line in POLICY.items()
        for chunk in line.split("|")
        for word in ([chunk] if chunk == "OPT OUT" else chunk.split())
    ]


@pytest.mark.parametrize(("kind", "language", "word"), words())
def test_every_word_of_the_policy_counts_however_it_is_written(
    kind: str, language: str | None, word: str
) -> None:
    listed = {(one.kind, one.language) for one in FILE.words if word in (*one.words, *one.whole)}
    assert any(found == kind and language in (None, own) for found, own in listed)
    for text in (
        word,
        word.lower(),
        word.title(),
        f'  "{word}!" ',
        f"«{word}».",
        f"{word}\n",
        f"❌{word}",
    ):
        found = SHIPPED.find(text)
        assert found is not None, text
        assert found.kind == kind
        assert found.word.replace(" ", "") == word.replace(" ", "")


def test_no_other_words_are_in_the_file() -> None:
    known = {word for _, _, word in words()}
    assert {word for one in FILE.words for word in (*one.words, *one.whole)} == known


@pytest.mark.parametrize(
    "text",
    [
        "CTOП", "сTоп", "ＳＴＯＰ", "s t o p", "S.T.O.P.", "s-t-o-p", "st\u200bop", "\ufeffSTOP",
        "ST\u00adOP", "ST0P", "st0p", "ѕtop", "Ⓢⓣⓞⓟ", "𝐒𝐓𝐎𝐏", "stöp", "#stop", "*STOP*", "/stop",
        "STOP STOP STOP", "Stop, please", "STOP\nSent from my phone", "stop\u00a0it", "STOP!!!1",
        "\u202eSTOP", "Optout now", "opt-out", "OPT  OUT", "opt.out please", "un-subscribe",
        "unsubscribe me from this list", "arrêt", "Désabonner svp", "DÉSABONNER", "İPTAL", "ıptal",
        "стоп, хватит", "СТОП!", "отписаться", "stop by the shop tomorrow", "Baja por favor",
    ],
)  # fmt: skip
def test_a_stop_is_a_stop(text: str) -> None:
    found = SHIPPED.find(text)
    assert found is not None
    assert found.kind is Kind.STOP


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "!!!", "🛑", "\u200b", "don't stop", "please stop", "non-stop", "stopping by",
        "stops", "STOP2", "bus stop", "the end", "End of story", "cancel my appointment",
        "Cancel, please", "нет, приду", "нету", "Нет времени сегодня", "Отказ от заказа",
        "HET",
        "het", "Het is goed",
        "Cancelar mi cita", "ret it", "annulla l'appuntamento", "yes please", "Yes, I will come",
        "volver a llamar", "helper", "informal", "restart", "starting", "unstoppable", "quitter",
        "1", "42", "0", "oui", "ok", "no", "No", "стопка", "автостоп",
    ],
)  # fmt: skip
def test_other_texts_are_no_keywords(text: str) -> None:
    assert SHIPPED.find(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("СТОП", Found(Kind.STOP, "СТОП", "ru")),
        ("CTOП", Found(Kind.STOP, "СТОП", "ru")),
        ("stop", Found(Kind.STOP, "STOP", None)),  # everywhere: tells no language
        ("stopp", Found(Kind.STOP, "STOPP", "de")),
        ("cancel", Found(Kind.STOP, "CANCEL", "en")),
        ("ayuda", Found(Kind.HELP, "AYUDA", "es")),
        ("info", Found(Kind.HELP, "INFO", None)),
        ("Старт", Found(Kind.START, "СТАРТ", "ru")),
        ("yes", Found(Kind.YES, "YES", None)),
        ("opt out", Found(Kind.STOP, "OPTOUT", "en")),
        ("opt out of it", Found(Kind.STOP, "OPT OUT", "en")),
    ],
)
def test_what_is_found(text: str, found: Found) -> None:
    assert SHIPPED.find(text) == found


MILD = KeywordFile(
    date=FILE.date,
    source="a file that tries",
    words=(
        Words(kind="stop", language="en", words=("HALT",)),
        Words(kind="help", language="en", words=("STOP", "CANCEL", "QUIT")),
    ),
    answers=FILE.answers,
)


@pytest.mark.parametrize(
    "text",
    ["stop", "Quit!", "END", "revoke", "opt out", "opt-out please", "CANCEL", "unsubscribe me"],
)
def test_what_the_law_says_holds_for_its_numbers_whatever_the_file_says(text: str) -> None:
    lawless = Vocabulary(MILD, read_mandatory())
    found = lawless.find(text, 12125550100)
    assert found is not None
    assert found.kind is Kind.STOP
    elsewhere = lawless.find(text, 447400123456)
    assert elsewhere is None or elsewhere.kind is Kind.HELP
    assert lawless.find("halt", 12125550100) == Found(Kind.STOP, "HALT", "en")
    assert lawless.find("end of the road", 12125550100) is None


def test_the_law_is_cited_and_complete() -> None:
    (law,) = read_mandatory().words
    assert law.prefixes == ("1",)
    assert "47 CFR 64.1200(a)(10)" in law.law
    named = {"stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"}
    assert {word.casefold() for word in (*law.words, *law.whole)} == named


def test_the_words_of_two_meanings_do_not_meet() -> None:
    kinds: dict[str, set[str]] = {}
    for one in FILE.words:
        for word in (*one.words, *one.whole):
            kinds.setdefault(fold(word).replace(" ", ""), set()).add(one.kind)
    assert [word for word, own in kinds.items() if len(own) > 1] == []


@pytest.mark.parametrize("language", sorted(FILE.answers))
def test_shipped_answers_are_short_and_name_who_writes(language: str) -> None:
    answers = FILE.answers[language]
    for name in ("stop", "help", "start", "confirm"):
        text = getattr(answers, name)
        assert text.count("{brand}") == 1
        filled = text.replace("{brand}", "+79161234567")
        encoding, parts, _ = count_only(filled, encoding="auto")
        assert parts == 1 if encoding == "gsm" else parts <= 2
        # What we say ourselves must not be a keyword to the next machine.
        assert SHIPPED.find(filled) is None
    assert SHIPPED.find(answers.confirm.split("YES")[0] + "YES") is None


def test_every_language_with_a_keyword_has_answers() -> None:
    assert {one.language for one in FILE.words} <= set(FILE.answers)


@given(st.text(max_size=200))
def test_any_text_has_a_meaning_or_none(text: str) -> None:
    found = SHIPPED.find(text)
    folded = fold(text)
    assert fold(folded) == folded
    assert folded == " ".join(folded.split())
    if found is not None:
        assert SHIPPED.find(f'"{text}"') == found
    assert digest(text) == digest(folded)


def test_a_long_text_is_looked_at_from_its_beginning() -> None:
    assert SHIPPED.find("STOP " + "x" * 100_000) == Found(Kind.STOP, "STOP", None)
    assert SHIPPED.find("x" * 100_000 + " STOP") is None
    assert SHIPPED.find("CANCEL" + " " * 1_000) is not None
    assert SHIPPED.find("CANCEL" + " " * 1_000 + "my appointment") is None
    assert SHIPPED.find("CTOП " + "да " * 1_000) is not None


def test_all_of_unicode_is_not_remembered() -> None:
    for first in range(0, 0x110000, 500):
        fold(
            "".join(map(chr, range(first, min(first + 500, 0x110000))))
            .encode("utf-8", "ignore")
            .decode()
        )
    assert len(keywords._KEPT) <= keywords.REMEMBERED
