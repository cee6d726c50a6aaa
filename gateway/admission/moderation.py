"""Moderation: texts a moderator has to see before they leave.

Three modes, by account and by category, sender or template: every text waits, those with a
stop-word in text or sender wait, none waits. A text waits as one item however many recipients it
has; what was decided about it holds until one of the lists in force changes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from config.policies import ModerationMode
from gateway.admission.octets import all_text, incomplete, printable, strictly_read
from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.model import Status
from gateway.policy.stopwords.matcher import Hit
from gateway.store.messages import Text
from gateway.template import compile_template

ENOUGH: Final = 10
"""Letters of its own, outside placeholders, from which a template says what its texts say. SMPP
customers' texts arrive as values of `{{text}}`: there each text is judged by itself."""
_GAP: Final = "\n"
"""What stands for placeholders when the template itself is looked at: words end there."""

MANY: Final = 8
"""Texts from which on it pays to look whether any of them has anything before looking at each: 1 us
a text instead of 4, where nothing is found, and as much more where something is."""
TOGETHER: Final = 200_000
"""Characters looked at as one: half a millisecond of the loop."""

Found = tuple[Draft, tuple[Hit, ...], tuple[Hit, ...]]
"""A draft somebody has to see, what its text has, what its sender has."""


async def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Hold what a moderator has to see, pass what one has approved, refuse the rest."""
    if ask.answer or not drafts:
        return drafts
    mode, source = mode_of(ask)
    words = world.moderation.words
    if mode == "none" or (mode == "automatic" and not words.any_for(ask.account)):
        _note(drafts, f"moderation: mode {mode}", source)
        return drafts
    found = _find(ask, drafts, world, mode == "manual")
    if not found:
        _note(drafts, "moderation: no stop-word found", source)
        return drafts
    if not ask.dry:
        words.count(Counter([hit for _, hits, others in found for hit in (*hits, *others)]))
    waiting = [one for one in found if not _refused_by_list(one)]
    texts = _texts(ask, waiting, world)
    asked = list(dict.fromkeys([text.fingerprint for text in texts]))
    decided = await world.moderation.decided(ask.account.name, asked)
    for (draft, _, _), text in zip(waiting, texts, strict=True):
        _judge(draft, text, decided.get(text.fingerprint), source)
    return standing(drafts)


def mode_of(ask: Ask) -> tuple[ModerationMode, str]:
    """The mode for a submission, and the setting that says so."""
    moderation = ask.account.moderation
    for place, other in enumerate(moderation.overrides):
        if (
            (not other.categories or ask.category.value in other.categories)
            and (not other.senders or ask.sender in other.senders)
            and (not other.templates or ask.template in other.templates)
        ):
            return other.mode, f"account.moderation.overrides[{place}]"
    return moderation.mode, "account.moderation.mode"


def _note(drafts: Sequence[Draft], rule: str, source: str) -> None:
    if drafts[0].notes is not None:
        for draft in drafts:
            draft.note(rule, source)


def _find(ask: Ask, drafts: Sequence[Draft], world: World, every: bool) -> list[Found]:
    """What somebody has to see; each distinct text is looked at once."""
    words = world.moderation.words
    find = words.finder(ask.account)
    sender = words.in_sender(ask.account, ask.sender or "")
    # The first of several parts is asked about ahead, where nothing is stored.
    every = every or (bool(ask.raw) and not ask.dry and incomplete(ask.raw))
    if ask.raw or not compile_template(ask.text).names:
        hits = find(drafts[0].text)
        if ask.raw and (strictly := strictly_read(ask.raw)) != drafts[0].text:
            hits = tuple(dict.fromkeys((*hits, *find(strictly))))
        if not (hits or sender or every):
            return []
        return [(draft, hits, sender) for draft in drafts]
    every = every or bool(sender)
    if not every and len(drafts) >= MANY:
        texts = [draft.text for draft in drafts]
        if sum(map(len, texts)) <= TOGETHER and words.clean(ask.account, texts):
            return []
    return [(draft, hits, sender) for draft in drafts if (hits := find(draft.text)) or every]


def _refused_by_list(found: Found) -> bool:
    """Refuse what has an entry of a list that rejects."""
    draft, hits, sender = found
    for hit in (*hits, *sender):
        if hit.reject:
            detail = f"an entry of the stop-word list `{hit.list}`, class `{hit.cls}`"
            draft.refuse("stop_word", detail, "#/text" if hit in hits else "#/from")
            if draft.notes is not None:
                draft.note(f"{hit.label}: refused", f"stop-word list {hit.list}, on_match = reject")
            return True
    return False


def _texts(ask: Ask, found: Sequence[Found], world: World) -> list[Text]:
    """What a moderator is shown of each, and what it is remembered by."""
    account, sender = ask.account.name, ask.sender or ""
    versions = world.moderation.words.versions(ask.account).hex()
    speaks = not ask.raw and says_enough(ask.text)
    in_template: frozenset[Hit] = frozenset()
    if speaks:
        in_template = frozenset(
            world.moderation.words.finder(ask.account)(compile_template(ask.text).between(_GAP))
        )
    octets = "" if all_text(ask.raw) else "".join([part.payload.hex() for part in ask.raw])
    known: dict[tuple[str, tuple[Hit, ...]], Text] = {}
    texts = []
    for draft, hits, others in found:
        own = ask.text if speaks else draft.text
        shown = own if in_template.issuperset(hits) else draft.text
        if octets:
            shown = printable(strictly_read(ask.raw))
        text = known.get((own, hits))
        if text is None:
            labels = sorted({hit.label for hit in hits})
            labels += sorted({f"{hit.label} (sender)" for hit in others})
            said = msgspec.json.encode([account, sender, octets or own, labels, versions])
            text = known[own, hits] = Text(
                hashlib.blake2b(said, digest_size=16).digest(),
                account,
                sender,
                ask.category.value,
                shown,
                tuple(labels),
                ask.template,
            )
        texts.append(text)
    return texts


@lru_cache(maxsize=4096)
def says_enough(text: str) -> bool:
    """Whether a text has enough letters outside its placeholders to be judged without them."""
    template = compile_template(text)
    if not template.names:
        return True
    return sum([letter.isalpha() for letter in template.between(" ")]) >= ENOUGH


def _judge(draft: Draft, text: Text, approved: bool | None, source: str) -> None:
    if approved is None:
        draft.status = Status.HELD_MODERATION
        draft.reason = "stop_word" if text.words else "awaiting_moderation"
        draft.judged = text
        if draft.notes is not None:
            why = f"found {', '.join(text.words)}" if text.words else "every text is seen"
            draft.note(f"waits for a moderator: {why}", source)
    elif approved:
        draft.note("a moderator approved this text", source)
    else:
        draft.refuse("moderation_rejected", "a moderator rejected this text", "#/text")
        draft.note("a moderator rejected this text", source)
