"""`python -m tests.fuzz --inputs N`: all targets, spread over the cores, with one line at the end.

Corpus and failing inputs stay in `.fuzz/`, so the next run begins where this one ended.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections import deque
from pathlib import Path

import click

from .targets import TARGETS, Target

_EVERY_S = 10.0


class _Jobs:
    """Workers to start, running, and done; one process per core at a time."""

    def __init__(
        self, targets: list[Target], inputs: int, cores: int, seed: int, directory: Path
    ) -> None:
        self.directory = directory
        self.waiting: deque[tuple[Target, int, int]] = deque()
        self.running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.died: list[str] = []
        self.cores = cores
        self.targets = targets
        total = cores * sum(target.share for target in targets)
        shares = given = 0
        for target in targets:
            for core in range(cores):
                shares += target.share
                count = inputs * shares // total - given  # so that they add up to `inputs`
                given += count
                number = zlib.crc32(f"{seed} {target.name} {core}".encode()) or 1
                self.waiting.append((target, max(1, count), number))
        shutil.rmtree(directory / "tally", ignore_errors=True)

    def start(self) -> None:
        while self.waiting and len(self.running) < self.cores:
            target, count, seed = self.waiting.popleft()
            log = self.directory / "log"
            log.mkdir(parents=True, exist_ok=True)
            with (log / f"{target.name}-{seed}").open("wb") as output:
                process = subprocess.Popen(
                    (
                        *(sys.executable, "-m", "tests.fuzz.worker", target.name),
                        *(str(count), str(seed), str(self.directory)),
                    ),
                    stdout=output,
                    stderr=output,
                )
            self.running.append((f"{target.name}-{seed}", process))

    def reap(self) -> None:
        """Forget what has ended; one that did not end well hung, ran out of memory or crashed."""
        for name, process in list(self.running):
            code = process.poll()
            if code is not None:
                self.running.remove((name, process))
                if code:
                    self.died.append(f"{name} ended with {code}: see {self.directory}/log/{name}")

    def stop(self) -> None:
        self.waiting.clear()
        for _, process in self.running:
            process.kill()  # libFuzzer takes any other end for a crash of the input at hand
        for _, process in self.running:
            process.wait()

    def tally(self, target: Target) -> tuple[int, int, dict[str, str]]:
        inputs, failures, kinds = 0, 0, {}
        for path in (self.directory / "tally").glob(f"{target.name}-*.json"):
            told = json.loads(path.read_text())
            inputs += told["inputs"]
            failures += told["failures"]
            kinds |= told["kinds"]
        return inputs, failures, kinds

    def told(self) -> tuple[int, int, dict[str, str]]:
        """Inputs, failures and a failing input of each kind, of all targets."""
        tallies = [self.tally(target) for target in self.targets]
        kinds = {kind: path for _, _, found in tallies for kind, path in found.items()}
        return sum(t[0] for t in tallies), sum(t[1] for t in tallies) + len(self.died), kinds


def _replay(path: Path) -> None:
    name = path.name.partition("-")[0]
    if name not in TARGETS:
        raise click.UsageError(f"{path.name} does not begin with one of {', '.join(TARGETS)}")
    click.echo(TARGETS[name].invariant)
    TARGETS[name].check(path.read_bytes())
    click.echo("The invariant stands.")


@click.command()
@click.option("--inputs", default=200_000, show_default=True, help="Of all targets together.")
@click.option("--target", "names", multiple=True, type=click.Choice(list(TARGETS)))
@click.option("--cores", default=os.cpu_count() or 1, show_default=True)
@click.option("--seed", default=1, show_default=True, help="Another one, another run.")
@click.option(
    "--directory", type=click.Path(path_type=Path), default=Path(".fuzz"), show_default=True
)
@click.option(
    "--replay", type=click.Path(path_type=Path, exists=True), help="One failing input again."
)
def main(
    inputs: int, names: tuple[str, ...], cores: int, seed: int, directory: Path, replay: Path | None
) -> None:
    """Fuzz everything that reads what a peer sent; exit code 1 when an invariant does not stand."""
    if replay is not None:
        _replay(replay)
        return
    targets = [target for target in TARGETS.values() if not names or target.name in names]
    jobs = _Jobs(targets, inputs, cores, seed, directory)
    began = told_at = time.monotonic()
    try:
        while jobs.waiting or jobs.running:
            jobs.start()
            time.sleep(0.05)
            jobs.reap()
            now = time.monotonic()
            if now - told_at >= _EVERY_S:
                told_at = now
                done, failures, _ = jobs.told()
                names_now = ", ".join(name.partition("-")[0] for name, _ in jobs.running)
                click.echo(
                    f"{now - began:6.0f} s  {done:12,} inputs  {failures} failures  {names_now}"
                )
    finally:
        jobs.stop()
    done, failures, kinds = jobs.told()
    for target in targets:
        count, failed, _ = jobs.tally(target)
        corpus = sum(1 for _ in (directory / "corpus" / target.name).iterdir())
        click.echo(f"  {target.name:8} {count:12,} inputs  corpus {corpus:6,}  {failed} failures")
    for kind, path in kinds.items():
        click.echo(f"  {kind}: python -m tests.fuzz --replay {path}")
    for line in jobs.died:
        click.echo(f"  {line}")
    seconds = time.monotonic() - began
    click.echo(f"{done:,} inputs, {seconds:.0f} seconds, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
