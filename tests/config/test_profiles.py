"""Profile files: the shipped ones, how they are merged, and where complaints point."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import PROFILES, ConfigProblems, load
from config.settings import Carrier, CarrierTlv, TonNpi
from gateway.dispatch.profile import Profile

SHIPPED = sorted(file.stem for file in PROFILES.glob("*.toml"))


def carrier(tmp_path: Path, profile: str, more: str = "") -> Carrier:
    main = tmp_path / "a.toml"
    main.write_text(
        f'[[carrier]]\nname = "a"\nprofile = "{profile}"\nhosts = ["h:1"]\nsystem_id = "s"\n{more}'
    )
    return load(main, {}).carrier[0]


def problems(tmp_path: Path, profile: str, more: str = "") -> list[str]:
    (tmp_path / "op.toml").write_text(profile)
    with pytest.raises(ConfigProblems) as found:
        carrier(tmp_path, "./op.toml", more)
    return [problem.replace(str(tmp_path), "") for problem in found.value.problems]


def test_the_shipped_ones_are_those_the_documentation_names() -> None:
    assert SHIPPED == ["aggregator", "awkward", "eu_direct", "in_dlt", "ru_direct", "us_10dlc"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_loads_by_name_and_can_be_used(tmp_path: Path, name: str) -> None:
    found = carrier(tmp_path, name)
    assert (found.name, found.profile, found.hosts) == ("a", name, ("h:1",))
    assert Profile(found).name == "a"
    assert found != carrier(tmp_path, next(each for each in SHIPPED if each != name))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_says_what_it_is_typical_of_and_since_when(name: str) -> None:
    text = (PROFILES / f"{name}.toml").read_text("utf-8")
    head, _, settings = text.partition("\n\n")
    assert head.startswith("# ")
    assert "\n# Typical: " in head
    assert "As of 20" in head
    for line in settings.splitlines():
        if " = " in line and not line.startswith("#") and not line.startswith(("tag", "kind")):
            above = settings[: settings.index(line)].rstrip("\n").rpartition("\n")[2]
            assert "#" in line or above.startswith("#"), f"{name}: no reason beside {line!r}"


def test_a_carrier_adds_to_the_tables_of_its_profile(tmp_path: Path) -> None:
    found = carrier(
        tmp_path,
        "in_dlt",
        '[carrier.tlvs.dlt_entity_id]\nvalue = "1101"\n'
        '[carrier.tlvs.extra]\ntag = "0x1403"\n'
        "[carrier.source.international]\nton = 2\nnpi = 1\n",
    )
    assert found.tlvs["dlt_entity_id"] == CarrierTlv(tag="0x1400", required=True, value="1101")
    assert found.tlvs["dlt_template_id"].required
    assert found.tlvs["extra"].tag == "0x1403"
    assert set(found.source) == {"alphanumeric", "short_code", "international"}
    assert found.source["international"] == TonNpi(ton=2, npi=1)


@pytest.mark.parametrize(
    ("profile", "more", "expected"),
    [
        (
            "rate = 5.0\nwindwo = 3",
            "",
            "/op.toml:2: unknown key `windwo`; did you mean `window`?",
        ),
        ("rate = 5.0\nwindow = 'x'", "", "/op.toml:2: `window`: expected `int`, got `str`"),
        ("rate = 5.0\nwindow = 'x'", "window = 'y'", "/a.toml:6: `window`: expected `int`"),
        ("\n[tls]\nca = '/none.pem'", "", "/op.toml:2: no such file: /none.pem"),
        ("[tls]\nverfy = true", "", "/op.toml:2: unknown key `verfy`; did you mean `verify`?"),
        ("[tls]\nverify = true", "[carrier.tls]\nca = '/none.pem'", "/a.toml:6: no such file"),
        ("receipt_zone = 'Atlantis'", "", "/op.toml:1: no time zone `Atlantis`"),
        ("reconnect_min = '9m'", "", "/a.toml:1: reconnect_max is shorter than reconnect_min"),
        ("hosts = ['h']", "", None),
        ("data_coding = { ucs2 = 300 }", "", "/op.toml:1: 300 is no data_coding; it is 0 to 255"),
        (
            "[tlvs.good]\ntag = '0x1400'\n[tlvs.bad]\nkind = 'octet'\ntag = '1400'",
            "",
            "/op.toml:5: `tag`: expected `str` matching regex",
        ),
        (
            "[tlvs.good]\ntag = '0x1400'\n[tlvs.bad]\ntag = '0x1401'\ntga = 1",
            "",
            "/op.toml:5: unknown key `tga`; did you mean `tag`?",
        ),
        ("[tlvs.bad]\nkind = 'octet'", "", "/op.toml:1: `tag` is missing; add it to this table"),
        ("[tlvs.Bad]\ntag = '0x1400'", "", "/op.toml:1: `Bad`: expected `str` matching regex"),
        (
            "[status]\n'0x58' = { action = 'throttle' }\n'0x59' = { action = 'wait' }",
            "",
            "/op.toml:3: `action`: invalid enum value 'wait'",
        ),
        (
            "[tlvs.good]\ntag = '0x1400'",
            "[carrier.tlvs.again]\ntag = '0x1400'",
            "/a.toml:7: `good` has the tag 0x1400 already; a tag has one name",
        ),
        (
            "[tlvs.bad]\ntag = '0x020C'",
            "",
            "/op.toml:2: 0x020C is sar_msg_ref_num, which the gateway or the operator sets",
        ),
        (
            "[tlvs.bad]\ntag = '0x1400'\nkind = 'integer'\nvalue = '256'",
            "",
            "/op.toml:4: not a value of kind integer: '256' is no number of 1 octets",
        ),
        ("alphabet = 'latin1'\npacked = true", "", "/op.toml:2: septets need alphabet"),
        ("national = ['turkish']\nalphabet = 'ascii'", "", "/op.toml:1: septets need alphabet"),
        ("bind = 'tx'", "", "/op.toml:1: a transmitter alone gets no receipts"),
        ("bind = 'tx'\n[outbind]\nlisten = 'h'", "", "/op.toml:3: 'h' is not host:port"),
        (
            "[outbind]\nlisten = 'h:1'\nnetworks = ['10.0.0.1/8']",
            "",
            "/op.toml:3: '10.0.0.1/8' is no network; write 10.0.0.0/8",
        ),
        ("[outbind\n", "", "/a.toml:3: profile './op.toml' cannot be read"),
    ],
)
def test_a_complaint_names_the_file_its_line_stands_in(
    tmp_path: Path, profile: str, more: str, expected: str | None
) -> None:
    if expected is None:  # what the carrier's own table says is not read from the profile
        (tmp_path / "op.toml").write_text(profile)
        assert carrier(tmp_path, "./op.toml", more).hosts == ("h:1",)
    else:
        found = problems(tmp_path, profile, more)
        assert len(found) == 1
        assert found[0].startswith(expected)


def test_two_carriers_with_one_profile_complain_of_it_apart(tmp_path: Path) -> None:
    (tmp_path / "op.toml").write_text("window = 0\n")
    one = '[[carrier]]\nname = "{}"\nprofile = "./op.toml"\nhosts = ["h:1"]\nsystem_id = "s"\n'
    (tmp_path / "a.toml").write_text(one.format("a") + one.format("b") + "window = 0\n")
    with pytest.raises(ConfigProblems) as found:
        load(tmp_path / "a.toml", {})
    assert [problem.rpartition("/")[2].partition(": ")[0] for problem in found.value.problems] == [
        "op.toml:1",
        "a.toml:11",
    ]


def test_two_carriers_cannot_be_called_at_one_address(tmp_path: Path) -> None:
    one = '[[carrier]]\nname = "{}"\nhosts = ["h:1"]\nsystem_id = "s"\n'
    one += '[carrier.outbind]\nlisten = "h:2"\n'
    (tmp_path / "a.toml").write_text(one.format("a") + one.format("b"))
    with pytest.raises(ConfigProblems, match=r"a\.toml:12: carrier `a` listens on h:2 already"):
        load(tmp_path / "a.toml", {})
