"""What single calls cost: the codec, text, receipts, the session, admission.

In: nothing. Out: microseconds per call as a table and `bench/results/<date>-micro.json`. The
median of several runs of about 50 ms each; the fastest run would flatter.
Run: `python -m bench.micro`.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from bench import micro_smpp
from bench.load import messages
from bench.load.report import RESULTS, report
from config.settings import Account, Route
from gateway.admission import Checks
from gateway.admission.numbering import Numbering
from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.policy.stopwords.lists import ListDoc, WordClass, compile_list
from gateway.policy.stopwords.matcher import Matcher, Search
from gateway.returns.inbound import inbound_part
from gateway.routing import RoutingTable
from gateway.template import compile_template
from protocol import constants as c
from protocol import gsm7, receipt, udh
from protocol.address import Address
from protocol.coding import codecs_by_data_coding
from protocol.connection import Connection
from protocol.national import NATIONAL, alphabets
from protocol.pdu import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    decode,
    encode,
    prepare,
)
from protocol.segment import count_only, frame, segment
from protocol.state import Role
from protocol.timers import Timers

_RUNS: Final = 7
_RUN_SECONDS: Final = 0.05
_LIST: Final = 1_000
"""How many go into a call that takes lists; the figure is for one of them."""
_DESTINATIONS: Final = 100
_NOW: Final = 1_795_000_000_000_000

Case = tuple[str, Callable[[], object], int]
"""A name, a call, and by how many its cost is divided."""


def _submit(number: int = 1) -> SubmitSm:
    return SubmitSm(
        sequence_number=number,
        source_addr_ton=5,
        source_addr="ALDIS",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="46700000001",
        registered_delivery=1,
        short_message=b"x" * 140,
    )


def _codec() -> Iterator[Case]:
    submit = _submit()
    submit_octets = encode(submit)
    text = receipt.build(
        "1000000001",
        receipt.Outcome.DELIVERED,
        submit_date="2611231130",
        done_date="2611231131",
    )
    tlvs = receipt.build_tlvs("1000000001", receipt.Outcome.DELIVERED)
    deliver = encode(
        DeliverSm(
            sequence_number=7,
            source_addr="46700000001",
            destination_addr="ALDIS",
            esm_class=c.ESM_CLASS_DELIVERY_RECEIPT,
            short_message=text,
            tlvs=tlvs,
        )
    )
    reply = encode(
        DeliverSm(
            sequence_number=8,
            source_addr="46700000001",
            destination_addr="72345",
            esm_class=c.ESM_CLASS_UDHI,
            short_message=bytes.fromhex("0500030c0201") + b"Yes please, tomorrow at noon",
        )
    )
    many = encode(
        SubmitMulti(
            sequence_number=9,
            source_addr="ALDIS",
            dest_address=tuple(Address(1, 1, f"4670000{n:04}") for n in range(_DESTINATIONS)),
            short_message=b"x" * 140,
        )
    )
    response = SubmitSmResp(sequence_number=7, message_id="1000000001")
    response_octets = encode(response)
    yield "decode submit_sm, 140 octets", lambda: decode(submit_octets), 1
    yield "encode submit_sm, 140 octets", lambda: encode(submit), 1
    yield "prepare submit_sm", lambda: prepare(submit, "destination_addr"), 1
    yield "decode deliver_sm, receipt with TLVs", lambda: decode(deliver), 1
    yield "decode deliver_sm, reply", lambda: decode(reply), 1
    yield "decode submit_multi, one of 100 addresses", lambda: decode(many), _DESTINATIONS
    yield "decode submit_sm_resp", lambda: decode(response_octets), 1
    yield "encode submit_sm_resp", lambda: encode(response), 1
    yield "parse receipt, text and TLVs", lambda: receipt.parse(text, tlvs), 1
    yield "parse receipt, text alone", lambda: receipt.parse(text), 1


def _text() -> Iterator[Case]:
    gsm = "Your parcel is waiting at the station until Friday. Bring your ID. " * 2
    cyrillic = "Заказ ждёт вас на станции до пятницы. Возьмите паспорт."
    long = "ACME: your parcel is waiting. " * 13
    parts = segment(long)
    template = compile_template("Hello {{name}}, parcel {{n}} is waiting at the station.")
    values = {"name": "Anna", "n": "15879"}
    yield "GSM-7 encode, 134 characters", lambda: gsm7.encode(gsm), 1
    yield "segment, GSM-7, 1 part", lambda: segment(gsm), 1
    yield "segment, UCS-2, 1 part", lambda: segment(cyrillic), 1
    yield "segment, GSM-7, 3 parts", lambda: segment(long), 1
    yield "render template, 2 placeholders", lambda: template.render(values), 1
    yield "frame 3 parts", lambda: frame(parts, 7), 1
    turkish = "Siparişiniz yola çıktı, yarın öğleden sonra kapınızda olacak."
    one, every = alphabets(["turkish"]), alphabets(NATIONAL)
    yield "segment, Turkish, 1 language", lambda: segment(turkish, national=one), 1
    yield "segment, Turkish, all languages", lambda: segment(turkish, national=every), 1
    yield "segment, UCS-2, all languages", lambda: segment(cyrillic, national=every), 1
    yield "count_only, GSM-7, 1 part", lambda: count_only(gsm), 1


def _replies() -> Iterator[Case]:
    """A deliver_sm that has been decoded -> the part of a reply."""
    codecs = codecs_by_data_coding()
    place = bytes.fromhex("0500030c0201")

    def taken(text: bytes, header: bytes = b"", data_coding: int = 0) -> Callable[[], object]:
        pdu = DeliverSm(
            source_addr="46700000001",
            destination_addr="72345",
            esm_class=c.ESM_CLASS_UDHI if header else 0,
            short_message=header + text,
            data_coding=data_coding,
        )
        return lambda: inbound_part(pdu, "op", codecs, None, _NOW)

    both = "Yarın öğleden sonra".encode("utf-16-be")
    packed = gsm7.pack(b"x" * 153, gsm7.fill_bits(6))
    turkish = alphabets(["turkish"])[2].encode("Yarın öğleden sonra") or b""
    yield "parse a header, 1 element", lambda: udh.parse(place + b"x"), 1
    yield "reply, GSM-7", taken(b"Yes please, tomorrow at noon"), 1
    yield "reply, GSM-7, part of two", taken(b"Yes please, tomorrow at noon", place), 1
    yield "reply, UCS-2", taken(both, data_coding=8), 1
    yield "reply, Turkish", taken(turkish, bytes.fromhex("06240101250101")), 1
    yield "unpack 153 septets", lambda: gsm7.unpack(packed, gsm7.fill_bits(6)), 1


def _session() -> Iterator[Case]:
    """A connection that has sent a thousand submits reads a thousand responses in one go."""
    connection = Connection(Role.ESME, now=0.0, timers=Timers(), window=_LIST)
    number = connection.bind(BindTransceiver(system_id="x"), 0.0)
    connection.data_to_send()
    bound = BindTransceiverResp(sequence_number=number)
    connection.receive_data(encode(bound), 0.0)
    before, after = prepare(_submit(), "destination_addr")
    bodies = [(before, b"46700000001", after)] * _LIST
    contexts = list(range(_LIST))
    spent = {"send": 0.0, "receive": 0.0}

    def exchange() -> None:
        started = time.perf_counter()
        connection.send_many(bodies, c.SUBMIT_SM, contexts, 0.0)
        octets = connection.data_to_send()
        spent["send"] = time.perf_counter() - started
        first = int.from_bytes(octets[12:16], "big")
        responses = b"".join(
            encode(SubmitSmResp(sequence_number=first + i, message_id="1000000001"))
            for i in range(_LIST)
        )
        started = time.perf_counter()
        events = connection.receive_data(responses, 0.0)
        spent["receive"] = time.perf_counter() - started
        assert len(events) == _LIST

    def timed(part: str) -> Callable[[], float]:
        def run() -> float:
            exchange()
            return spent[part]

        return run

    yield "Connection.send_many, one submit_sm", timed("send"), _LIST
    yield "Connection.receive_data, one response", timed("receive"), _LIST


class _NoOptOuts:
    """Nobody has opted out; the ledger's own cost belongs to the store."""

    async def opted_out(self, *_: object) -> set[int]:
        return set()


def _stop_words() -> Iterator[Case]:
    """One text against long lists, nothing found, no memory of texts; the words are made of
    syllables, so that they begin like words of the text."""
    syllables = (
        "ка", "зи", "но", "кре", "дит", "ма", "ра", "ту", "ло", "ве",
        "пи", "са", "ста", "вка", "бан", "ко", "ри", "жу", "ми", "ле",
    )  # fmt: skip
    made = itertools.islice(itertools.product(syllables, repeat=4), 100_000, 140_000, 2)
    group = WordClass(name="any", entries=["".join(word) for word in made])
    words = compile_list("bench", "1", ListDoc(language="ru", classes=[group]))
    search = Search([words])
    text = (
        "Уважаемый клиент, ваш заказ готов к выдаче в пункте на улице Ленина. Ждём вас ежедневно, "
        "возьмите с собой паспорт. Спасибо, что выбрали нас! Магазин «Ромашка»."
    )
    texts = {"letters": text, "with numbers": text.replace("заказ готов", "заказ 15879/2 на 9:30")}
    for kind, one in texts.items():
        one = one[:160].ljust(160, "а")
        yield f"stop-words, 160 characters ({kind}), 20,000 words", partial(search.find, one), 1
    emoji = text[:159] + "\N{FIRE}"
    yield "stop-words, 160 characters (an emoji), 20,000 words", partial(search.find, emoji), 1
    hit = text.replace("Спасибо", group.entries[7])[:160]
    yield "stop-words, 160 characters (one found), 20,000 words", partial(search.find, hit), 1
    matcher = Matcher([words])
    yield "stop-words, a text seen before", partial(matcher.find, text), 1


def _admission() -> Iterator[Case]:
    numbering = Numbering()
    checks = Checks(
        World(numbering, RoutingTable([Route(name="main", carriers=("op",))]), _NoOptOuts())
    )
    account = Account(name="acme")
    numbers = [messages.number(i) for i in range(_LIST)]
    serial = iter(range(1 << 62))

    def admit(text: str, values: bool) -> None:
        drafts = [
            # No two texts are equal, as with codes and names: a memory of texts must not help.
            Draft(to, {"name": "Anna", "n": str(next(serial))} if values else None, None, place)
            for place, to in enumerate(numbers)
        ]
        admission = checks.admit(Ask(account, text, _NOW, sender="ACME"), drafts)
        assert len(_outcome(admission)) == _LIST

    fixed = messages.TEXTS["fixed", "gsm"]
    templated = messages.TEXTS["templated", "gsm"]
    yield "number, E.164 fast path", lambda: [numbering.look(n, None) for n in numbers], _LIST
    yield "admission, same text, drafts included", lambda: admit(fixed, False), _LIST
    yield "admission, templated, drafts included", lambda: admit(templated, True), _LIST


def _outcome(admission: Coroutine[Any, Any, list[Draft]]) -> list[Draft]:
    """The result of a coroutine that never really waits, without a loop's overhead."""
    try:
        admission.send(None)
    except StopIteration as done:
        passed: list[Draft] = done.value
        return passed
    raise AssertionError("admission waits for something besides the ledger")


def cost(call: Callable[[], object]) -> float:
    """Median seconds per call. A call that returns a float has timed itself."""
    measured = call()
    own = isinstance(measured, float)
    started = time.perf_counter()
    call()
    times = max(1, int(_RUN_SECONDS / max(1e-7, time.perf_counter() - started)))
    runs = []
    for _ in range(_RUNS):
        if own:
            runs.append(statistics.fmean(float(call()) for _ in range(times)))  # type: ignore[arg-type]
            continue
        started = time.perf_counter()
        for _ in range(times):
            call()
        runs.append((time.perf_counter() - started) / times)
    return statistics.median(runs)


def measure() -> dict[str, float]:
    """Name -> microseconds, of every case."""
    figures = {}
    for group in (_codec, _text, _stop_words, _replies, _session, _admission, micro_smpp.cases):
        for name, call, share in group():
            figures[name] = round(cost(call) / share * 1e6, 3)
    return figures


@click.command()
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    help="Where the JSON goes.",
)
@click.option("--keep/--no-keep", default=True, help="Whether to write the JSON at all.")
def command(results: Path, keep: bool) -> None:
    """Microseconds per call."""
    settings = {"runs": _RUNS, "run_seconds": _RUN_SECONDS}
    report("micro", settings, measure(), results if keep else None)


if __name__ == "__main__":
    command(prog_name="python -m bench.micro")
