from __future__ import annotations

import pytest

from config.load import ConfigProblems, loads


@pytest.mark.parametrize("name", ["keep_text", "keep_messages"])
def test_an_account_keeps_no_longer_than_the_store(name: str) -> None:
    text = f"""
[store]
{name} = "7d"

[[account]]
name = "shop"
{name} = "%s"
"""
    settings = loads(text % "7d", {})
    assert getattr(settings.account[0], name) == 7 * 86_400
    with pytest.raises(ConfigProblems) as error:
        loads(text % "8d", {})
    (problem,) = error.value.problems
    assert f"{name}" in problem and "8 days" in problem and ":7:" in problem
