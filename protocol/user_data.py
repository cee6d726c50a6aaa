"""The text in the user data of one message or part, read as its header announces it.

In: user data without its header, the header, what data_coding means to the peer. Out: text. Never
fails. The national language of a part is its own header's affair (TS 23.040 §9.2.3.24.15).
"""

from . import gsm7, national, udh
from .coding import decode
from .constants import ESM_CLASS_UDHI
from .errors import PduError
from .halves import decode_part


def split(payload: bytes, esm_class: int) -> tuple[udh.Header | None, bytes]:
    """The header of a short_message, if esm_class says there is one and it can be read, and the
    user data behind it."""
    if not esm_class & ESM_CLASS_UDHI:
        return None, payload
    try:
        return udh.parse(payload)
    except PduError:
        return None, payload


def read(
    data: bytes,
    header: udh.Header | None,
    encoding: str,
    *,
    packed: bool = False,
    part: bool = False,
) -> str:
    """The text of user data; `packed` septets come eight to seven octets. Of a `part` of several
    the ends may be marks for `halves.join`."""
    if encoding == "gsm":
        if packed:
            data = gsm7.unpack(data, gsm7.fill_bits(len(header.raw) if header else 0))
        if header is not None and (header.locking_shift or header.single_shift):
            return national.decoder(header.locking_shift, header.single_shift)(data)
        if packed:
            return gsm7.decode(data)
    return decode_part(data, encoding) if part else decode(data, encoding)
