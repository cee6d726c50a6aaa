"""When to cut."""

from __future__ import annotations

from gateway.events.news import News

FULL, WAIT = 500, 1_000_000


def at_rest() -> News:
    news = News(FULL, WAIT)
    news.answered(news.ask(8, 0), [])
    return news


def test_at_the_start_there_may_be_anything():
    news = News(FULL, WAIT)
    assert news.due_at == 0
    assert news.ask(8, 0) == 8
    news.answered(8, [500] * 8)
    assert news.ask(8, 0) == 8  # as long as all that was asked for came
    news.answered(8, [500, 20])
    assert news.ask(8, 10 * WAIT) == 0
    assert news.due_at is None


def test_a_part_of_a_batch_waits_from_its_first_event_on():
    news = at_rest()
    assert news.add(1, 100) is False
    assert news.add(498, 600_000) is False
    assert news.due_at == 100 + WAIT
    assert news.ask(8, 99 + WAIT) == 0
    assert news.ask(8, 100 + WAIT) == 8
    news.answered(8, [499])
    assert news.due_at is None


def test_full_batches_do_not_wait_and_the_rest_does():
    news = at_rest()
    assert news.add(499, 100) is False
    assert news.add(600, 200) is True
    assert news.add(1, 300) is False  # told already
    assert news.ask(8, 300) == 2
    news.answered(2, [500, 500])
    assert news.ask(8, 400) == 0
    assert news.due_at == 100 + WAIT


def test_never_more_than_there_is_room_for():
    news = at_rest()
    news.add(5_000, 100)
    assert news.ask(0, 100) == 0
    assert news.ask(3, 100) == 3
    news.answered(3, [500, 500, 500])
    assert news.ask(8, 100) == 7


def test_what_comes_during_the_cut_is_not_forgotten():
    news = at_rest()
    news.add(500, 100)
    asked = news.ask(8, 100)
    news.add(7, 200)
    news.answered(asked, [500])
    assert news.due_at == 100 + WAIT
    assert news.ask(8, 100 + WAIT) == 8
    news.add(3, 300 + WAIT)
    news.answered(8, [7])
    assert news.due_at == 300 + 2 * WAIT


def test_counts_that_ran_ahead_do_not_cut_small_batches_for_ever():
    news = at_rest()
    news.add(1_000, 100)
    news.answered(news.ask(1, 100), [10])  # most of it had been cut already
    assert news.ask(8, 100) == 0
    assert news.ask(8, 100 + WAIT) == 8  # and should it be there after all, it does not wait long


def test_a_cut_that_did_not_happen():
    news = at_rest()
    news.add(500, 100)
    assert news.ask(8, 100) == 1
    news.failed()
    assert news.ask(8, 100) == 1


def test_one_by_one_never_waits():
    news = News(1, WAIT)
    news.answered(news.ask(8, 0), [])
    assert news.add(3, 100) is True
    assert news.ask(8, 100) == 3
