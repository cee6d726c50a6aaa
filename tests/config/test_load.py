from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from config.load import ConfigProblems, load, loads
from config.settings import Settings

WHOLE = """
[http]
port = 8081
max_body = "1MiB"

[store]
keep_text = "12h"

[[account]]
name = "shop"
default_region = "FR"
keys = [
  { value = "ak_secret", scopes = ["admin"], networks = ["10.0.0.0/8"] },
  { env = "SHOP_KEY" },
]

[[account.webhooks]]
url = "https://shop.example/hook"
secret_env = "SHOP_SECRET"

[[carrier]]
name = "op1"
hosts = ["smsc1.example:2775", "10.0.0.2:2776"]
system_id = "aldis"
password_env = "OP1_PASSWORD"
enquire_interval = "45s"
[carrier.status]
"0x58" = { action = "throttle" }

[[carrier]]
name = "op2"
hosts = ["[::1]:2775"]
system_id = "aldis"

[[route]]
name = "main"
carriers = ["op1", { name = "op2", weight = 3, rank = 1 }]
accounts = ["shop"]
"""
ENVIRONMENT = {
    "SHOP_KEY": "ak_other",
    "SHOP_SECRET": "whsec_" + base64.b64encode(b"x" * 32).decode(),
    "OP1_PASSWORD": "secret",
}


def problems(text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigProblems) as found:
        loads(text, environment or {}, name="a.toml")
    return found.value.problems


def test_a_whole_configuration() -> None:
    found = loads(WHOLE, ENVIRONMENT)
    assert found.http.port == 8081
    assert found.http.max_body == 1 << 20
    assert found.store.keep_text == 12 * 3600
    account = found.account[0]
    assert [key.hash for key in account.keys] == [
        hashlib.sha256(b"ak_secret").hexdigest(),
        hashlib.sha256(b"ak_other").hexdigest(),
    ]
    assert all(key.value is None and key.env is None for key in account.keys)
    assert account.webhooks[0].secret == ENVIRONMENT["SHOP_SECRET"]
    assert found.carrier[0].password == "secret"
    assert found.carrier[0].enquire_interval == 45
    assert found.carrier[0].status["0x58"].action == "throttle"
    assert found.carrier[1].window == 10


def test_an_empty_file_is_a_private_gateway() -> None:
    found = loads("", {})
    assert found == Settings()
    assert found.http.host == "127.0.0.1"


def test_environment_sets_single_values() -> None:
    found = loads("[http]\nport = 1\n", {"ALDIS_HTTP__PORT": "99", "ALDIS_LOG__LEVEL": "debug"})
    assert (found.http.port, found.log.level) == (99, "debug")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[http]\nprot = 1", "a.toml:2: unknown key `prot`; did you mean `port`?"),
        ("[htp]\nport = 1", "a.toml:1: unknown table `htp`; did you mean `http`?"),
        ("\n\n[http]\nport = 'x'", "a.toml:4: `port`: expected `int`, got `str`"),
        ("[http]\nport = 70000", "a.toml:2: `port`: expected `int` <= 65535"),
        (
            "[webhooks]\ntimeout = 10",
            "a.toml:2: `timeout`: expected a duration with its unit, "
            'such as "250ms", "30s", "4h", "7d"',
        ),
        (
            "[http]\nmax_body = '1 parsec'",
            'a.toml:2: `max_body`: expected octets or a size, such as 65536, "64KiB", "16MiB"',
        ),
        ("[account]\nname = 'x'", "a.toml:1: `account` is a list of tables: write [[account]]"),
        ("[[http]]\nport = 1", "a.toml:1: `http` is a single table: write [http]"),
        ("[[account]]\nsenders = ['A']", "a.toml:1: `name` is missing; add it to this table"),
        (
            "[[carrier]]\nname = 'a'\nhosts = ['h:1']\nsystem_id = 's'\nwindwo = 3",
            "a.toml:5: unknown key `windwo`; did you mean `window`?",
        ),
        (
            "[[carrier]]\nname = 'a'\nsystem_id = 's'\n[carrier.tls]\nverfy = true",
            "a.toml:5: unknown key `verfy`; did you mean `verify`?",
        ),
        (
            "[[route]]\nname = 'r'\ncarriers = ['nobody']",
            "a.toml:3: no carrier is called `nobody`; there are: none",
        ),
        (
            "[[carrier]]\nname = 'a'\nhosts = ['h']\nsystem_id = 's'",
            "a.toml:3: 'h' is not host:port",
        ),
        (
            "[[carrier]]\nname = 'a'\nsystem_id = 's'",
            'a.toml:1: carrier `a` has no hosts; add hosts = ["host:port"]',
        ),
        (
            "[[account]]\nname = 'a'\n[[account]]\nname = 'a'",
            "a.toml:4: a second account is called `a`; rename one",
        ),
        (
            "[[account]]\nname = 'a'\nkeys = [{ env = 'NOPE' }]",
            "a.toml:3: environment variable NOPE is not set; set it or give the value another way",
        ),
        (
            "[[account]]\nname = 'a'\nkeys = [{ value = 'x', hash = 'y' }]",
            "a.toml:3: a key needs exactly one of value, hash, env",
        ),
        (
            "[[account]]\nname = 'a'\n[[account.smpp]]\nsystem_id = 'a'\npassword = 'x'\n"
            "data_coding = { gsm = 300 }",
            "a.toml:6: 300 is no data_coding; it is 0 to 255",
        ),
        (
            "[http]\nport = 9090",
            "a.toml: port 9090 is taken by [http]; choose another",
        ),
        (
            "[[carrier]]\nname = 'a'\nprofile = 'nope.toml'",
            "a.toml:3: profile 'nope.toml' cannot be read",
        ),
    ],
)
def test_complaints_name_line_and_remedy(text: str, expected: str) -> None:
    assert problems(text)[0].startswith(expected)


def test_all_tables_are_checked_before_complaining() -> None:
    found = problems("[http]\nprot = 1\n[[carrier]]\nwindow = 'x'\nname = 'a'\n[log]\nlevel = 'x'")
    assert [line.split(":")[1] for line in found] == ["2", "4", "7"]


def test_not_toml() -> None:
    assert problems("[http\nport = 1")[0].startswith("a.toml: not TOML:")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems, match="no such file"):
        load(tmp_path / "nope.toml")


def test_a_profile_is_merged_under_its_carrier(tmp_path: Path) -> None:
    (tmp_path / "op.toml").write_text('window = 50\nrate = 100.0\nsystem_type = "X"\n')
    (tmp_path / "a.toml").write_text(
        '[[carrier]]\nname = "a"\nprofile = "./op.toml"\nhosts = ["h:1"]\nsystem_id = "s"\n'
        "rate = 5.0\n"
    )
    carrier = load(tmp_path / "a.toml", {}).carrier[0]
    assert (carrier.window, carrier.rate, carrier.system_type) == (50, 5.0, "X")
