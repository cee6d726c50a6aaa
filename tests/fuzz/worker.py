"""One process fuzzing one target: `python -m tests.fuzz.worker TARGET INPUTS SEED DIRECTORY`.

In: the corpus in DIRECTORY/corpus/TARGET. Out: what widens the coverage goes into the corpus, each
kind of failure once into DIRECTORY/failures, and the tally into DIRECTORY/tally as it goes. A
failure does not end the run; only a hang, or memory beyond the limit, does.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import traceback
from pathlib import Path
from random import Random
from types import ModuleType

from .mutate import mutated

# One input of the slowest target takes 2 ms; what takes 5 s is a loop, or quadratic.
_HANG_S = 5
# atheris itself takes 150 MiB with a corpus of 10,000.
_MEMORY_MIB = 1_024
_TALLY_EVERY = 2_000


class Run:
    """Counts inputs and failures, keeps one input of each kind of failure."""

    def __init__(self, name: str, inputs: int, seed: int, directory: Path) -> None:
        # Here and not above: atheris must be there before what it watches is imported.
        from .targets import TARGETS

        self.target = TARGETS[name]
        self.inputs = inputs
        self.seed = seed
        self.corpus = directory / "corpus" / name
        self.failures = directory / "failures"
        self.tally = directory / "tally" / f"{name}-{seed}.json"
        self.done = 0
        self.failed = 0
        self.kinds: dict[str, str] = {}
        for made in (self.corpus, self.failures, self.tally.parent):
            made.mkdir(parents=True, exist_ok=True)
        for data in self.target.seeds():
            (self.corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)

    def one(self, data: bytes) -> None:
        try:
            self.target.check(data)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is the finding)
            self._fail(data, error)
        self.done += 1
        if self.done % _TALLY_EVERY == 0:
            self.write()
        if self.done == self.inputs:
            self.write()
            sys.stderr.flush()
            os._exit(0)  # libFuzzer has no other way to be told that it is enough

    def _fail(self, data: bytes, error: Exception) -> None:
        self.failed += 1
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        if kind not in self.kinds:
            path = self.failures / f"{self.target.name}-{hashlib.sha1(data).hexdigest()[:12]}"
            path.write_bytes(data)
            self.kinds[kind] = str(path)
            self.write()

    def write(self) -> None:
        tally = {"inputs": self.done, "failures": self.failed, "kinds": self.kinds}
        partial = self.tally.with_suffix(".partial")
        partial.write_text(json.dumps(tally))
        partial.rename(self.tally)


def blindly(run: Run) -> None:
    """Mutate the corpus without looking at coverage."""
    corpus = [path.read_bytes() for path in sorted(run.corpus.iterdir())]
    random = Random(run.seed)
    for data in corpus:
        run.one(data)
    while True:
        run.one(mutated(corpus, random))


def guided(run: Run, atheris: ModuleType) -> None:
    """Let libFuzzer choose by what `protocol` has executed."""
    from protocol.pdu import PDUS

    for cls in PDUS.values():  # these are generated, so no import has instrumented them
        cls._decode = staticmethod(atheris.instrument_func(cls._decode))
        cls._body = staticmethod(atheris.instrument_func(cls._body))
    arguments = [
        sys.argv[0],
        f"-seed={run.seed}",
        f"-max_len={run.target.longest}",
        f"-timeout={_HANG_S}",
        f"-rss_limit_mb={_MEMORY_MIB}",
        f"-artifact_prefix={run.failures / run.target.name}-",
        "-verbosity=0",
        "-print_final_stats=0",
        str(run.corpus),
    ]
    atheris.Setup(arguments, run.one)
    atheris.Fuzz()


def main(name: str, inputs: int, seed: int, directory: Path) -> None:
    try:
        import atheris
    except ImportError:
        blindly(Run(name, inputs, seed, directory))
        return
    with atheris.instrument_imports(
        include=["protocol", "gateway.ingress.smpp.reading", "gateway.returns"]
    ):
        run = Run(name, inputs, seed, directory)
    guided(run, atheris)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
