"""Ids as submit_sm_resp and receipts of the same message have spelt them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.message_id import FORMS, candidates, canonical, canonical_all, normalise


@pytest.mark.parametrize(
    ("form", "response", "receipt"),
    [
        ("as_is", "706678557", "0000706678557"),
        ("as_is", "bc59b8aa-2fd2-4035-8113-19301e050079", "BC59B8AA-2FD2-4035-8113-19301E050079"),
        ("as_is", "1479978899.393701000100", "1479978899.393701000100"),
        ("as_is", "1-0007", "1-0007"),
        ("as_is", "Smsc2013", "Smsc2013\0"),
        ("hex", "38601fa", "038601FA"),
        ("hex", "0x38601fa", "038601FA"),
        ("dec", "0512249005", "512249005"),
        ("resp_hex_receipt_dec", "33647f6c", "862224236"),
        ("resp_hex_receipt_dec", "70BA8A69", "1891273321"),
        ("resp_hex_receipt_dec", "038601fa", "0059113978"),
        ("resp_hex_receipt_dec", "6aad5", "0000436949"),
        ("resp_hex_receipt_dec", "18d0e03a", "0416342074"),
        ("resp_dec_receipt_hex", "862224236", "33647F6C"),
        ("resp_dec_receipt_hex", "0862224236", "0033647f6c"),
        ("resp_hex_receipt_dec", "0", "000"),
    ],
)
def test_both_sides_meet(form: str, response: str, receipt: str) -> None:
    key = normalise(form, response)
    assert key == normalise(form, receipt, "receipt")
    # A receipt of a carrier whose form is not known yet finds it too, under that form's key.
    assert key in dict(candidates(receipt)).values()
    # The key of the response does not depend on the form, so learning a form moves no key.
    assert {normalise(other, response) for other in FORMS} == {key}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "10"),
        ("0a", "0b"),
        ("1.10", "1.1"),
        ("AbCz9", "abcz9"),  # base 62: case may be meant
        ("1-07", "1-7"),
        ("a-b", "ab"),
        ("00000000-0000-0000-0000-000000000001", "1"),
    ],
)
def test_different_ids_stay_different(one: str, other: str) -> None:
    for form in FORMS:
        for side in ("response", "receipt"):
            assert normalise(form, one, side) != normalise(form, other, side)


def test_an_id_of_another_base_keeps_its_spelling() -> None:
    assert normalise("resp_hex_receipt_dec", "33647F6C", "receipt") == "33647f6c"
    assert normalise("resp_dec_receipt_hex", "msg-1", "receipt") == "msg-1"


def test_candidates() -> None:
    assert candidates("862224236") == (
        ("as_is", "862224236"),
        ("resp_hex_receipt_dec", "33647f6c"),
        ("resp_dec_receipt_hex", "36006150710"),
    )
    assert candidates("33647F6C") == (("as_is", "33647f6c"), ("resp_dec_receipt_hex", "862224236"))
    assert candidates("5") == (("as_is", "5"),)
    assert candidates("a.b") == (("as_is", "a.b"),)
    assert candidates(" \0") == ()


def test_an_unknown_form() -> None:
    with pytest.raises(KeyError):
        normalise("octal", "7", "receipt")


@given(st.integers(0, 2**128 - 1), st.integers(0, 4))
def test_numbers_meet_in_any_padding(number: int, zeros: int) -> None:
    decimal, hexadecimal = "0" * zeros + str(number), "0" * zeros + f"{number:X}"
    for response, receipt, form in (
        (hexadecimal, decimal, "resp_hex_receipt_dec"),
        (decimal, hexadecimal, "resp_dec_receipt_hex"),
    ):
        assert normalise(form, response) == normalise(form, receipt, "receipt")
        assert normalise(form, response) in dict(candidates(receipt)).values()


@given(st.text())
def test_any_id_has_a_key(id: str) -> None:
    assert canonical(canonical(id)) == canonical(id)
    for form in FORMS:
        normalise(form, id, "receipt")
    assert all(key for _, key in candidates(id))


def test_thousands_of_digits() -> None:
    assert normalise("resp_hex_receipt_dec", "9" * 5000, "receipt") == "9" * 5000


@given(
    st.lists(st.text("0123456789abcdefABCDEF", max_size=6))
    | st.lists(st.text("09aFxXgz-. \n\0", max_size=6))
)
def test_a_list_is_made_canonical_as_each_of_it_would_be(ids: list[str]) -> None:
    assert canonical_all(ids) == [canonical(id) for id in ids]
