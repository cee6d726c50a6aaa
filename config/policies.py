"""Settings of policy: who may be sent what, when.

In: nothing. Out: the sections that accounts, carriers and `[policy]` are made of. The rules
themselves (quiet hours, words, countries) are data files with a date and a source; here stands
which of them apply to whom.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from config.base import CategoryName, Duration, Positive, Section

OnQuiet = Literal["defer", "reject", "drop"]
CatchUp = Literal["send", "skip"]
CapReached = Literal["hold", "fail"]
ModerationMode = Literal["manual", "automatic", "none"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ClockTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
"""`"09:00"`; `"24:00"` is the end of a day."""


class ModerationOverride(Section, frozen=True):
    """Another mode for some messages; every condition given must hold, the first that fits wins."""

    mode: ModerationMode
    """As in `[account.moderation]`."""
    categories: tuple[CategoryName, ...] = ()
    """Categories it is for; empty for any."""
    senders: tuple[str, ...] = ()
    """Senders it is for; empty for any."""
    templates: tuple[str, ...] = ()
    """Names of templates it is for; empty for any text."""


class Moderation(Section, frozen=True):
    """Which texts wait for a moderator."""

    mode: ModerationMode = "automatic"
    """manual: every text waits. automatic: texts and senders with a stop-word wait. none: nothing
    waits."""
    overrides: tuple[ModerationOverride, ...] = ()
    """Other modes by category, sender or template: one-time codes usually have none."""
    lists: tuple[str, ...] = ("*",)
    """Names of the stop-word lists that apply, of those in `[policy] stopwords` and of those put
    through the API; `*` for all."""
    validity_counts: bool = True
    """Whether a message's validity runs while it waits for a moderator; if not, it is given the
    time back when it is released."""


class Keywords(Section, frozen=True):
    """What is answered to the keywords every account has. Each is one message without marketing;
    an empty text answers nothing."""

    language: Annotated[str, Meta(pattern=r"^[a-z]{2}$")] = "en"
    """Language of the shipped answers where the keyword itself does not tell it."""
    brand: Annotated[str, Meta(max_length=60)] = ""
    """Who writes, in the answers; default: the sender."""
    stop_answer: str | None = None
    """Confirmation of a STOP; default: the shipped sentence. Sent once in 24 h."""
    help_answer: str | None = None
    """Answer to HELP; default: the shipped sentence."""
    start_answer: str | None = None
    """Answer to START; default: the shipped sentence."""
    join: tuple[str, ...] = ("JOIN",)
    """Keywords that subscribe; each is answered with `welcome`."""
    welcome: str | None = None
    """Who writes, what, how often, how to leave; without it JOIN is an ordinary reply."""
    double_opt_in: bool = False
    """Whether JOIN is asked back, and only a YES within a day subscribes."""
    confirm_text: str | None = None
    """The question of a double opt-in; default: the shipped sentence."""
    answers: bool = True
    """Whether anything is answered at all; opt-outs are recorded in any case."""
    answers_per_hour: Annotated[int, Meta(ge=1, le=100)] = 5
    """Answers to HELP, START, JOIN and the account's own keywords that one number gets from one
    sender in an hour: two machines that answer each other end there."""


class FrequencyCap(Section, frozen=True):
    """At most so many messages to one number in a period."""

    messages: Annotated[int, Meta(ge=1, le=1_000)]
    """Messages accepted for one number; more are refused with `frequency_cap`."""
    period: Duration
    """Length of the period, counted back from now; at most 31 days."""
    categories: tuple[CategoryName, ...] = ("advertising",)
    """Categories that count, and that it stops."""
    senders: tuple[str, ...] = ()
    """Senders that count together; empty: each sender by itself."""


class SendWindow(Section, frozen=True):
    """When a carrier takes messages, in its zone."""

    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    """Days of the week."""
    start: ClockTime = "00:00"
    """First minute."""
    end: ClockTime = "24:00"
    """The minute it closes; before `start`: on the next day."""
    categories: tuple[CategoryName, ...] = ()
    """Categories it is for; empty for all. A category without any window is always taken."""


class Caps(Section, frozen=True):
    """PDUs in a period; 0 is no cap."""

    minute: Annotated[int, Meta(ge=0)] = 0
    """PDUs a minute."""
    hour: Annotated[int, Meta(ge=0)] = 0
    """PDUs an hour."""
    day: Annotated[int, Meta(ge=0)] = 0
    """PDUs a calendar day."""


class AccountCaps(Section, frozen=True):
    """PDUs of an account in a period, over all carriers; 0 is no cap."""

    minute: Annotated[int, Meta(ge=0)] = 0
    """PDUs a minute."""
    hour: Annotated[int, Meta(ge=0)] = 0
    """PDUs an hour."""
    day: Annotated[int, Meta(ge=0)] = 0
    """PDUs a calendar day."""
    zone: str = "UTC"
    """Time zone the periods are counted in."""
    cap_reached: CapReached = "hold"
    """hold: wait for the next period; fail: end as `throttled_out`."""


class CampaignCaps(Section, frozen=True):
    """Caps for each campaign id, as mobile operators of the US grant them by brand and campaign."""

    tlv: str = "campaign_id"
    """Name, in `tlvs`, of the TLV whose value is the campaign's id."""
    day: Annotated[int, Meta(ge=0)] = 0
    """PDUs a day of campaigns that `days` does not name; 0 is no cap."""
    days: dict[str, Annotated[int, Meta(ge=0)]] = {}
    """PDUs a day by campaign id."""
    zone: str = "America/Los_Angeles"
    """Where the day begins: operators reset at midnight Pacific."""
    cap_reached: CapReached = "hold"
    """hold: wait for the next day; fail: the next carrier of the route, else `throttled_out`."""


class Policy(Section, frozen=True):
    """Rules that change by law or contract. Each file carries its date and source; a name is one of
    the shipped files in `config/policy/`, anything with a slash a path of your own."""

    quiet_hours: str = "quiet_hours"
    """When recipients may be disturbed, by country and category."""
    zones: str = "zones"
    """Time zones by number prefix, where numbering plans tell more than libphonenumber."""
    senders: str = "senders"
    """What countries allow as sender."""
    keywords: str = "keywords"
    """STOP, HELP, START in many languages, with the shipped answers."""
    stopwords: tuple[str, ...] = ()
    """Stop-word lists read from files (shipped: `ru`, `en`). None by default: a gateway without
    moderators would hold what nobody releases."""
    opening_spread: Duration = Duration(900)
    """Messages that waited for a window leave spread over its first minutes, so that neither the
    operator nor the customer's call centre is flooded."""
    claim_timeout: Duration = Duration(600)
    """How long a claimed moderation item is kept for its moderator."""
    keep_audit: Duration = Duration(3 * 365 * 86_400)
    """How long the trail of policy decisions stays; three years is a common limitation period."""
    most_waiting_items: Positive = 100_000
    """Moderation items that may be undecided; beyond it new held texts are answered 503. An account
    has no more than it leaves to the others: alone half of them, two a third each."""
