"""How the simulated operator behaves: one value, replaced whole and in force from the next read on.

In: fields by name, in code, from the command line or as JSON. Out: a checked `Behaviour`. It knows
the vocabulary of receipts; sockets, sessions and clocks it may not know.

All times are seconds, all probabilities 0..1, all rates per second. The defaults are an operator
without faults: every bind is accepted, every submit answered at once and delivered at once.
"""

from typing import Final, Literal

import msgspec

from protocol.receipt import OUTCOMES, Outcome

OUTCOME_OF_STAT: Final[dict[str, Outcome]] = {
    stats[0]: outcome for outcome, (_, stats) in OUTCOMES.items()
}
"""The `stat` of a classic receipt, as Appendix B spells it, and its message_state."""

IdForm = Literal[
    "dec",
    "hex",
    "upper_hex",
    "resp_hex_receipt_dec",
    "resp_dec_receipt_hex",
    "resp_hex_receipt_upper",
    "receipt_padded",
    "uuid",
]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One operator's manners. Checked when made; `ValueError` names what is wrong."""

    credentials: dict[str, str] = {}
    """system_id -> password; empty lets anybody bind."""
    refuse_bind: int = 0
    """command_status every bind is refused with; 0 accepts."""
    bind_silence: bool = False
    """Binds are never answered."""
    max_binds: int = 0
    """Binds of one system_id at once, ESME_RBINDFAIL beyond; 0 for any number."""

    latency: float = 0.0
    """From a submit_sm to its response."""
    jitter: float = 0.0
    """Up to so much more, evenly spread: responses overtake each other."""
    window: int = 0
    """Unanswered submits of one bind, ESME_RMSGQFUL beyond; 0 for any number."""
    rate: float = 0.0
    """PDUs per second of one system_id over all binds, ESME_RTHROTTLED beyond; 0 for any."""
    burst: float = 0.0
    """PDUs the rate lets through at once after a pause; 0 for one second's worth, because
    operators count in whole seconds."""
    errors: dict[int, float] = {}
    """command_status -> how probable it is."""
    error_of: dict[str, int] = {}
    """destination_addr -> command_status it always gets."""
    silence: float = 0.0
    """How probable it is that a submit is taken and never answered."""
    late_after: float = 0.0
    """Silent submits are answered after so long; 0: never."""
    response_body: Literal["standard", "always", "never"] = "standard"
    """standard: none with an error status (3.4 §4.4.2). never: not even the message_id."""

    receipts: dict[str, float] = msgspec.field(default_factory=lambda: {"DELIVRD": 1.0})
    """`stat` -> how probable it is; what is missing to 1 gets no receipt. By default all is
    DELIVRD."""
    receipt_of: dict[str, str] = {}
    """destination_addr -> the `stat` it always gets; "" for no receipt."""
    enroute: bool = False
    """An ENROUTE receipt first, with the response."""
    receipt_delay: float = 0.0
    """From the response to the final receipt."""
    receipt_jitter: float = 0.0
    """Up to so much more, evenly spread."""
    receipt_format: Literal["text", "tlv", "both"] = "both"
    """Appendix B text, TLVs, or the two of them."""
    id_form: IdForm = "dec"
    """How message ids look in responses and in receipts."""
    receipts_first: bool = False
    """The receipt leaves before the response."""
    receipt_route: Literal["same", "any"] = "same"
    """same: the bind that submitted, if it can receive. any: all receivers in turn."""
    deliver_window: int = 1_000
    """Unanswered deliver_sm of one bind."""
    resend: bool = True
    """deliver_sm left unanswered by a lost bind go out again on the next one."""
    retry_after: float = 1.0
    """Until a deliver_sm answered with a temporary error goes out again."""

    disconnect_every: int = 0
    """Hang up after every so many submits of a bind, the last of them taken but not answered."""
    disconnect: float = 0.0
    """How probable it is that a submit is taken and answered by hanging up."""
    answer_enquire_link: bool = True
    """Whether enquire_link is answered."""
    enquire_interval: float = 0.0
    """Between the operator's own enquire_links on each bind; 0: none."""

    mo_rate: float = 0.0
    """Inbound messages made up per second and system_id."""
    mo_destination: str = "1000"
    """Where made-up inbound messages go."""
    mo_text: str = "Hello"
    """What they say."""

    def __post_init__(self) -> None:
        unknown = {*self.receipts, *filter(None, self.receipt_of.values())} - {*OUTCOME_OF_STAT}
        if unknown:
            raise ValueError(f"receipts: {sorted(unknown)} are none of {sorted(OUTCOME_OF_STAT)}")
        for name, chances in (("errors", self.errors), ("receipts", self.receipts)):
            if min(chances.values(), default=0.0) < 0 or sum(chances.values()) > 1 + 1e-9:
                raise ValueError(f"{name}: probabilities are at least 0 and at most 1 together")
        for name in ("silence", "disconnect"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: a probability is 0 to 1")
        if self.deliver_window < 1:
            raise ValueError("deliver_window: at least 1, or nothing is ever delivered")
