"""Where a reader would see one character, so that a text is not cut through it.

In: a text and a place in it. Out: whether a cut there leaves whole characters on both sides. A
compact reading of Unicode Standard Annex #29 on what `unicodedata` knows: combining marks,
variation selectors, keycaps, skin tones, ZWJ sequences, tags, flags, Hangul syllables, conjuncts.

It may not know encodings or lengths. A rule missed here costs a torn emoji for as long as a
handset has only one part, never text, so the annex's rarer properties (Prepend) are left out.
"""

from typing import Final
from unicodedata import category, combining

_ZWJ: Final = "\u200d"
# Letters and signs that belong to the one before without being marks: Thai and Lao SARA AM, the
# half-width kana voicing marks, and the zero width non-joiner.
_SPACING: Final = "\u0e33\u0eb3\uff9e\uff9f\u200c"
_VIRAMA: Final = 9  # canonical combining class of the signs that join two consonants


def is_boundary(text: str, at: int) -> bool:
    """Whether `text` may be cut before index `at` without tearing a grapheme cluster."""
    if at <= 0 or at >= len(text):
        return True
    after = text[at]
    before = text[at - 1]
    if after < "\u0300" and before < "\u0300":
        return not (before == "\r" and after == "\n")
    if after == _ZWJ or before == _ZWJ:
        return False
    if after in _SPACING or category(after)[0] == "M" or "\U0001f3fb" <= after <= "\U0001f3ff":
        return False
    if "\U000e0020" <= after <= "\U000e007f":  # tags, as in the flag of Scotland
        return False
    if "\u1160" <= after <= "\u11ff" and "\u1100" <= before <= "\ud7a3":
        return False  # Hangul: vowel or final after another jamo or a syllable
    if combining(before) == _VIRAMA and category(after) == "Lo":
        return False
    if _is_regional(after) and _is_regional(before):
        first = at - 1
        while first > 0 and _is_regional(text[first - 1]):
            first -= 1
        return (at - first) % 2 == 0
    return True


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
