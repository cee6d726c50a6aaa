"""data_coding and the character encodings behind it (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4).

In: text with the name of an encoding, or octets with the data_coding they came under. Out: octets,
or text. Which codec a data_coding means is a table per carrier, because data_coding 0 is "the
operator's default alphabet": GSM, Latin-1 or ASCII.

It may not know carriers or message lengths. Encoding is strict (a text goes out whole or not at
all), decoding never fails (a wrong data_coding must not cost an inbound message or a receipt).
"""

import codecs
from typing import Final

from .errors import UsageError

GSM: Final = "gsm"
UCS2: Final = "ucs2"
LATIN1: Final = "latin1"
ASCII: Final = "ascii"
BINARY: Final = "binary"


def encode_ucs2(text: str) -> bytes:
    """UTF-16BE, surrogate pairs whole, no byte order mark.

    Raises UsageError for half a surrogate pair: no receiver could show it.
    """
    try:
        return codecs.utf_16_be_encode(text)[0]
    except UnicodeEncodeError as error:
        raise UsageError(f"half a surrogate pair at character {error.start}") from None
