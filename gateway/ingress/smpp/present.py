"""replace_if_present_flag: a submit that takes the place of one that waits (SMPP 3.4 §5.2.18).

In: drafts that admission let pass. Out: those that took another's place, with its id; the others
are submitted as they are. Same account, sender, recipient and category make "the same" (the
service_type that the specification compares is kept as the category it means).
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.draft import Ask, Draft, content, vars_of
from gateway.ingress.smpp.ports import Store
from gateway.model import WAITING
from gateway.store.messages import Content, Replacement
from gateway.store.records import MessageFilter

_STATUSES = [int(status) for status in WAITING]
_MOST = 20
"""Messages of one number looked at: more than wait for one person from one account."""


async def replace_present(
    store: Store, ask: Ask, drafts: Sequence[Draft], now: int
) -> list[tuple[Draft, int]]:
    """(draft, id of the message that now says this) for drafts that found one waiting."""
    account, sender = ask.account.name, (ask.sender or "").lstrip("+")
    category = ask.category.value
    replaced: list[tuple[Draft, int]] = []
    for draft in drafts:
        if draft.status not in WAITING or not may_replace(draft):
            continue  # it is to be dropped (quiet hours): what waits is not
        where = MessageFilter(account, number=draft.number, statuses=_STATUSES)
        for view in await store.search(where, _MOST):
            if view.sender.lstrip("+") != sender or view.category != category:
                continue  # another category's lane and route are not its own
            if view.batch is not None or view.split:
                continue  # of several recipients, or told by several ids: no one id would do
            (shared,) = store.new_ids(1, now)
            replacement = replacement_of(view.id, content(ask, shared), draft)
            (before,) = await store.replace(account, [replacement], now)
            if before in WAITING:
                replaced.append((draft, view.id))
                break
    return replaced


def may_replace(draft: Draft) -> bool:
    """Whether the text may take another's place: a waiting message keeps its lane, and carriers
    that have not approved this text might pull from it."""
    return "template_mismatch" not in draft.without.values()


def replacement_of(message: int, made: Content, draft: Draft) -> Replacement:
    """An admitted draft as what a waiting message shall say."""
    return Replacement(
        message,
        made,
        draft.parts,
        draft.encoding,
        draft.status,
        draft.due,
        draft.deadline,
        vars_of(draft) if made.templated else None,
        draft.reason,
        draft.closes,
        draft.judged,
    )
