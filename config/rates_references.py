"""Checks of send windows, rates, caps and frequency caps.

In: settings whose single values are right. Out: (path, sentence) for each problem. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

from config import settings as s
from config.windows import overlapping, stretches

Problem = tuple[str, str]

LONGEST: Final = 31 * 86_400
"""Seconds of a frequency cap's period: what must be remembered of everybody."""
SHORTEST: Final = 1.0


def check_rates(found: s.Settings) -> Iterator[Problem]:
    """Everything wrong with when and how much may be sent."""
    for place, carrier in enumerate(found.carrier):
        yield from _carrier(f"carrier[{place}]", carrier)
    for place, account in enumerate(found.account):
        yield from _zone(f"account[{place}].caps.zone", account.caps.zone)
        yield from _frequency(f"account[{place}]", account, found.store.keep_messages)


def _carrier(path: str, carrier: s.Carrier) -> Iterator[Problem]:
    yield from _zone(f"{path}.zone", carrier.zone)
    windows = carrier.send_windows
    for place, window in enumerate(windows):
        if not stretches(window):
            yield (
                f"{path}.send_windows[{place}]",
                f"from {window.start} to {window.end} on {len(window.days)} days is no time at "
                'all; a whole day is "00:00" to "24:00"',
            )
    for one, two in overlapping(windows):
        first = windows[one]
        yield (
            f"{path}.send_windows[{two}]",
            f"it overlaps with the window from {first.start} to {first.end} "
            f"({', '.join(first.days)}; {', '.join(first.categories) or 'all categories'}): which "
            "hours hold must be said once; part them, or make them one",
        )
    caps = carrier.campaign_caps
    if caps is None:
        return
    yield from _zone(f"{path}.campaign_caps.zone", caps.zone)
    if caps.tlv not in carrier.tlvs:
        known = ", ".join(sorted(carrier.tlvs)) or "none"
        yield (
            f"{path}.campaign_caps.tlv",
            f"the carrier has no TLV called `{caps.tlv}` a campaign could be known by; there are: "
            f"{known}",
        )
    if not caps.day and not any(caps.days.values()):
        yield (
            f"{path}.campaign_caps",
            "it caps nothing; set `day`, or campaigns in `days`, or leave the table out",
        )


def _frequency(path: str, account: s.Account, kept: float) -> Iterator[Problem]:
    keep = min(kept, account.keep_messages or kept)
    for place, cap in enumerate(account.frequency):
        at = f"{path}.frequency[{place}]"
        if not SHORTEST <= cap.period <= LONGEST:
            yield f"{at}.period", f"{cap.period:g} s; a period is one second to 31 days"
        elif cap.period > keep:
            yield (
                f"{at}.period",
                f"{cap.period / 86_400:g} days, but messages are kept {keep / 86_400:g}: after a "
                "restart nobody would know; raise keep_messages or shorten the period",
            )
        if not cap.categories:
            yield f"{at}.categories", "a cap for no category stops nothing; name some"
        if cap in account.frequency[:place]:
            yield at, "the same cap stands above already"


def _zone(path: str, name: str) -> Iterator[Problem]:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        yield path, f"no time zone `{name}`; write Europe/Paris"
