from __future__ import annotations

from gateway.returns.id_form import _DOUBT, _ENOUGH, IdForm


def test_a_configured_form_is_used_and_never_changes() -> None:
    form = IdForm("resp_hex_receipt_dec")
    assert form.keys(("26",)) == (("resp_hex_receipt_dec", "1a"),)
    assert not form.learn([], 1000)
    assert form.form == "resp_hex_receipt_dec"


def test_auto_tries_all_forms_until_one_has_matched_often() -> None:
    form = IdForm("auto")
    assert [key for _, key in form.keys(("26",))] == ["26", "1a", "38"]
    assert not form.learn(["resp_hex_receipt_dec"] * (_ENOUGH - 1), 3)
    assert form.learn(["resp_hex_receipt_dec"], 0)
    assert form.keys(("26",)) == (("resp_hex_receipt_dec", "1a"),)


def test_a_few_chance_matches_do_not_outvote_the_right_form() -> None:
    form = IdForm("auto")
    form.learn(["as_is"] * 3, 0)
    form.learn(["resp_hex_receipt_dec"] * 20, 0)
    assert form.form == "resp_hex_receipt_dec"


def test_doubt_after_many_misses_in_a_row() -> None:
    form = IdForm("auto", learnt="as_is")
    assert form.form == "as_is"
    assert not form.learn([], _DOUBT - 1)
    assert not form.learn(["as_is"], 0)
    assert not form.learn([], _DOUBT - 1)
    assert form.learn([], 1)
    assert form.form is None


def test_a_remembered_form_that_no_longer_exists_is_forgotten() -> None:
    assert IdForm("auto", learnt="something").form is None
    assert IdForm("auto", learnt="").form is None


def test_both_ids_of_a_receipt_are_tried() -> None:
    assert IdForm("as_is").keys(("A1", "77")) == (("as_is", "a1"), ("as_is", "77"))
