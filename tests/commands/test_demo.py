"""The demonstration: its list is what its page says, its report counts right, and it leaves
nothing running however it ends."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from config.load import load
from gateway.admission import Checks
from gateway.admission.numbering import Numbering
from gateway.admission.seen import NumberSet
from gateway.admission.world import World
from gateway.commands.demo import FILES, report
from gateway.commands.demo.campaign import Campaign, read
from gateway.commands.demo.setting import SECRET_VARIABLE, prepare
from gateway.draft import Ask, Draft
from gateway.ingress.http import answers as a
from gateway.ingress.http.recipients import csv as recipients_csv
from gateway.model import ENCODING_NAMES, Category
from gateway.routing import RoutingTable

DEMO = FILES / "demo"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SLOW = pytest.mark.slow


def table(first_heading: str) -> dict[str, list[str]]:
    """A table of the demonstration's page: first cell -> the others."""
    lines = (DEMO / "README.md").read_text("utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first_heading} "))
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[name] = cells
    return found


FATES = {name: int(cells[0]) for name, cells in table("fate").items()}
LANGUAGES = {name: [int(cell) for cell in cells] for name, cells in table("language").items()}


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return read(DEMO)


# ---- the list


class Ledger:
    def __init__(self, numbers: Sequence[str]) -> None:
        self.numbers = {int(number) for number in numbers}

    async def opted_out(
        self, account: str, sender: str, category: str, numbers: Sequence[int]
    ) -> set[int]:
        return self.numbers & set(numbers)


async def test_a_thousand_rows_meet_the_fates_the_page_tells(campaign: Campaign) -> None:
    assert campaign.count == 1000 == sum(FATES.values())
    settings = load(FILES / "gateway.toml", {})
    world = World(Numbering(), RoutingTable(settings.route), Ledger(campaign.opted_out))
    fates: Counter[str] = Counter()
    languages: dict[str, list[int]] = {}
    for text in campaign.texts:
        rows = campaign.rows[text.language]
        parser = recipients_csv()
        parsed = [
            *[parser.feed(chunk) async for chunk in rows.upload()],
            parser.finish(),
        ]
        recipients = [one for each in parsed for one in each.entries]
        ask = Ask(
            settings.account[0],
            text.text,
            int(NOW.timestamp() * 1e6),
            sender=text.sender,
            category=Category(text.category),
            transliterate=text.transliterate,
            default_region=text.default_region,
            seen=NumberSet(),
        )
        drafts = [Draft(one.to, one.vars, one.client_ref) for one in recipients]
        passed = await Checks(world).admit(ask, drafts)
        fates["malformed"] += sum(len(each.problems) for each in parsed)
        fates.update(draft.code or "accepted" for draft in drafts)
        parts = Counter[str]()
        for draft in passed:
            parts[ENCODING_NAMES[draft.encoding]] += draft.parts
        languages[text.language] = [rows.count, len(passed), parts["gsm"], parts["ucs2"]]
    assert fates == FATES
    assert languages == LANGUAGES


def test_the_list_is_an_export(campaign: Campaign) -> None:
    octets = campaign.file.read_bytes()
    assert octets.startswith(b"\xef\xbb\xbf")  # Excel's byte order mark
    assert octets.count(b"\r\n") >= 1001
    assert len(campaign.texts) == len(campaign.rows) == 8
    # Every line goes up exactly once, and is found again by its number.
    lines = octets.decode().splitlines(keepends=True)
    gone: list[int] = []
    for rows in campaign.rows.values():
        assert [lines[number - 1] for number in rows.numbers] == rows.lines
        assert rows.number_of(2) == rows.numbers[0]
        gone += rows.numbers
    assert sorted(gone) == list(range(2, len(lines) + 1))


def test_a_language_without_words_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "texts.toml").write_bytes((DEMO / "texts.toml").read_bytes())
    (tmp_path / "campaign.csv").write_text("to,language\n1,en\n2,\n")
    with pytest.raises(ValueError, match=r"csv:3: no text for the language ''"):
        read(tmp_path)


def test_the_examples_of_the_page_are_in_the_list(campaign: Campaign) -> None:
    text = campaign.file.read_text("utf-8")
    for name, cells in table("fate").items():
        for example in re.findall(r"`([^`]+)`", cells[1]):
            assert example in text or example in (DEMO / "texts.toml").read_text(), (name, example)


# ---- the stage


def test_the_configuration_differs_only_in_addresses(tmp_path: Path) -> None:
    path, environment = prepare(
        FILES / "gateway.toml",
        tmp_path,
        carriers={"north": 40001, "south": 40002},
        webhook="http://127.0.0.1:40003/events",
        secret="whsec_" + "A" * 44,
        http_port=0,
    )
    shown = load(FILES / "gateway.toml", {})
    used = load(path, environment)
    assert [carrier.hosts for carrier in used.carrier] == [
        ("127.0.0.1:40001",),
        ("127.0.0.1:40002",),
    ]
    (hook,) = used.account[0].webhooks
    assert (hook.url, hook.secret) == (
        "http://127.0.0.1:40003/events",
        environment[SECRET_VARIABLE],
    )
    assert used.store.path == str(tmp_path / "aldis.db")
    replace = msgspec.structs.replace
    assert used.route == shown.route
    assert replace(used.account[0], webhooks=()) == shown.account[0]
    for ours, theirs in zip(used.carrier, shown.carrier, strict=True):
        assert replace(ours, hosts=()) == replace(theirs, hosts=())


def test_a_configuration_that_moved_on_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source.toml"
    source.write_text((FILES / "gateway.toml").read_text("utf-8").replace("2776", "2777"), "utf-8")
    with pytest.raises(ValueError, match="is there 0 times"):
        prepare(source, tmp_path, carriers={"north": 1, "south": 2}, webhook="", secret="",
                http_port=0)  # fmt: skip


# ---- the report


def message(number: int, status: a.StatusName, **changes: object) -> a.MessageOut:
    one = a.MessageOut(
        id=f"msg_{number}",
        status=status,
        sender="KESTREL",
        to=f"+4474000001{number:02d}",
        text="Hi",
        category="service",
        parts=2,
        encoding="gsm",
        batch_id="bat_1",
        client_ref=None,
        reason=None,
        metadata=None,
        sequence=3,
        attempts=1,
        carrier="north",
        send_at_effective=None,
        expires_at=None,
        created_at=NOW,
        updated_at=NOW + timedelta(seconds=number),
        part_list=[],
    )
    return msgspec.structs.replace(one, **changes)


@pytest.fixture
def sent() -> report.Sent:
    reason = a.ReasonOut("absent_subscriber", False, "The phone was off or away.")
    return report.Sent(
        "bat_1",
        "en",
        5,
        a.UploadResult("bat_1", "draft", a.UploadCounts(3, 1, 1), []),
        NOW,
        [(7, "5 columns; the header row has 9")],
        [
            message(1, "delivered"),
            message(2, "expired", reason=reason, carrier="south"),
            message(4, "delivered", encoding="ucs2", parts=3),
        ],
        [
            a.IneligibleOut(
                4,
                "020 7946 0123",
                a.ReasonOut("not_mobile", True, "The number cannot receive SMS."),
            )
        ],
    )


def received(*ended: int) -> report.Received:
    return report.Received(6, 2, 2, 0, 0, {f"msg_{number}": 48 for number in ended})


def test_the_report_counts(sent: report.Sent) -> None:
    lines = list(report.lines([sent], received(1, 2, 4), {"north": 400.0}))
    text = "\n".join(lines)
    assert cells(lines, "accepted")[0] == "3"
    assert cells(lines, "not_mobile")[:4] == ["1", "'020", "****", "**23':"]
    assert "line 7" in text
    assert cells(lines, "gsm") == ["2", "0", "2", "0", "4"]
    assert cells(lines, "ucs2") == ["1", "0", "0", "1", "3"]
    assert cells(lines, "north") == ["2", "2", "0"]
    assert cells(lines, "south") == ["1", "0", "1"]
    assert "1 absent_subscriber at south" in text
    assert "3 messages, 7 parts in 4.0 s" in text
    assert "median 2.0 s" in text
    assert "slowest: msg_4" in text
    assert "7400000" not in text
    assert report.disagreements([sent], received(1, 2, 4)) == []


def cells(lines: Sequence[str], name: str) -> list[str]:
    return next(line.split()[1:] for line in lines if line.split()[:1] == [name])


def test_the_report_finds_what_does_not_add_up(sent: report.Sent) -> None:
    assert report.disagreements([sent], received(1, 2)) == ["1 messages ended without an event"]
    sent.messages[0] = message(1, "sent")
    assert report.disagreements([sent], received(2, 4)) == ["no final status: 1 sent"]
    sent.rows = 6
    del sent.messages[2]
    bad = msgspec.structs.replace(received(2), signatures_bad=1, contradicted=2)
    assert report.disagreements([sent], bad) == [
        "en: 6 rows went up, 5 were accounted for",
        "en: the export and the upload's answer differ",
        "no final status: 1 sent",
        "2 messages ended twice and differently",
        "1 POSTs of events had no good signature",
    ]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("+33 (0)6 12 00 04 90", "'+33 (0)* ** ** ** 90'"),
        ("07400000123", "'074******23'"),
        ("n/a", "'n/a'"),
        ("0740", "'0740'"),
        ("", "''"),
    ],
)
def test_cells_are_masked_in_their_own_spelling(cell: str, shown: str) -> None:
    assert report.masked(cell) == shown


# ---- the whole


@contextmanager
def demo(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command, its files below `directory`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo", *options],
        env=os.environ | {"TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def child_of(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def await_end(pidfd: int, seconds: float) -> bool:
    """Whether the process behind `pidfd` ends within so many seconds."""
    ready, _, _ = select.select([pidfd], [], [], seconds)
    os.close(pidfd)
    return bool(ready)


def lines_until(process: subprocess.Popen[str], word: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return lines
    assert process.stderr is not None
    raise AssertionError("".join(lines) + process.stderr.read())


@SLOW
def test_the_campaign_goes_out_and_comes_back(tmp_path: Path) -> None:
    with demo(tmp_path, "--exit", "--port", "0") as process:
        out, err = process.communicate(timeout=150)
    assert process.returncode == 0, out + err
    lines = out.splitlines()
    assert "CAME IN            1,000 rows" in lines
    for code, count in FATES.items():
        name = {"malformed": "unreadable"}.get(code, code)
        assert cells(lines, name)[0] == str(count), name
    found = {
        line.split()[0]: [int(cell) for cell in line.split()[1:5]]
        for line in lines[lines.index(next(x for x in lines if x.startswith("LANGUAGES"))) :]
        if line.split()[:1] and line.split()[0] in LANGUAGES
    }
    assert found == LANGUAGES
    assert int(cells(lines, "north")[0]) + int(cells(lines, "south")[0]) == FATES["accepted"]


@SLOW
def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as process:
        lines_until(process, "LOOK AROUND")
        assert len(list(tmp_path.iterdir())) == 1
        gateway = os.pidfd_open(child_of(process.pid))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert await_end(gateway, 0)
    assert list(tmp_path.iterdir()) == []


@SLOW
def test_an_interrupted_campaign_ends_in_order(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as process:
        lines_until(process, "accepted")
        gateway = os.pidfd_open(child_of(process.pid))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert out.endswith("Ending: the gateway finishes what is on the wire.\n")
    assert err == ""
    assert await_end(gateway, 0)
    assert list(tmp_path.iterdir()) == []


@SLOW
def test_a_gateway_that_dies_is_missed(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as process:
        lines_until(process, "accepted")
        os.kill(child_of(process.pid), signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the gateway ended with exit code -9" in err
    assert '"message":"serving"' in err


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")
@SLOW
def test_a_killed_demonstration_leaves_no_gateway(tmp_path: Path) -> None:
    with demo(tmp_path, "--port", "0") as process:
        lines_until(process, "gateway: ")
        gateway = os.pidfd_open(child_of(process.pid))
        process.kill()
        # 30 s of drain at most; with the operators gone there is nothing to wait for.
        assert await_end(gateway, 40)


@SLOW
def test_a_taken_port_is_told_with_the_gateways_own_words(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        demo(tmp_path, "--exit", "--port", str(taken.getsockname()[1])) as process,
    ):
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "the gateway ended with exit code 1" in err
    assert "cannot start" in err
    assert "address already in use" in err
