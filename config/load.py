"""TOML and environment -> `Settings`, or a list of complaints that say where and what to do.

In: a file's path and the environment. Out: settings in which every reference has been followed:
profiles are merged into their carriers, secrets named by environment variables are filled in, keys
are reduced to their hashes. Reads files, changes nothing.

A single value can be set from the environment: `ALDIS_HTTP__PORT=8081` is `[http] port = 8081`.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from config import settings as s
from config.converting import explain, nearest, pinpoint, quantity
from config.lines import line_of, locate
from config.references import check_references

PROFILES: Final = Path(__file__).parent / "carriers"
ENVIRONMENT_PREFIX: Final = "ALDIS_"

_LISTS: Final = {
    "account": s.Account, "carrier": s.Carrier, "route": s.Route, "smpp": s.SmppPort,
}  # fmt: skip
_CARRIER: Final = re.compile(r"carrier\[([0-9]+)\]\.?")


class ConfigProblems(ValueError):
    """The configuration cannot be used; `problems` are complete sentences."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: str | os.PathLike[str], environment: Mapping[str, str] | None = None) -> s.Settings:
    """Read, check and complete a configuration file; raises `ConfigProblems`."""
    environment = os.environ if environment is None else environment
    file = Path(path)
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigProblems([f"{file}: no such file; name it with --config"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigProblems([f"{file}: cannot be read: {error}"]) from None
    return loads(text, environment, name=str(file), directory=file.parent)


def loads(
    text: str,
    environment: Mapping[str, str],
    *,
    name: str = "configuration",
    directory: Path = Path(),
) -> s.Settings:
    """`load` for a text; `directory` is where relative profile paths start."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigProblems([f"{name}: not TOML: {error}"]) from None
    return _Reading(raw, locate(text), environment, name, directory).settings()


class _Reading:
    """One pass over one file; collects complaints instead of stopping at the first."""

    def __init__(
        self,
        raw: dict[str, Any],
        lines: dict[str, int],
        environment: Mapping[str, str],
        name: str,
        directory: Path,
    ) -> None:
        self.raw = raw
        self.lines = lines
        self.environment = environment
        self.name = name
        self.directory = directory
        self.profiles: dict[int, tuple[str, dict[str, int]]] = {}
        """Name and lines of the profile file of each carrier that has one."""
        self.problems: list[str] = []

    def settings(self) -> s.Settings:
        self._apply_environment()
        self._merge_profiles()
        tables: dict[str, Any] = {}
        kinds = {field.name: field.type for field in msgspec.structs.fields(s.Settings)}
        for key, value in self.raw.items():
            if key not in kinds:
                self.complain(key, f"unknown table `{key}`{nearest(key, kinds)}")
            elif isinstance(value, list):
                item = _LISTS.get(key)
                if item is None:
                    self.complain(key, f"`{key}` is a single table: write [{key}]")
                else:
                    tables[key] = [
                        self._convert(entry, item, f"{key}[{place}]")
                        for place, entry in enumerate(value)
                    ]
            elif key in _LISTS:
                self.complain(key, f"`{key}` is a list of tables: write [[{key}]]")
            else:
                tables[key] = self._convert(value, kinds[key], key)
        self._stop_if_wrong()
        found = s.Settings(**tables)
        found = self._resolve(found)
        for path, problem in check_references(found):
            self.complain(path, problem)
        self._stop_if_wrong()
        return found

    def complain(self, path: str, problem: str) -> None:
        self.problems.append(f"{self._where(path)}: {problem}")

    def _where(self, path: str) -> str:
        """The file and line of `path`: the profile's where the carrier's own table is silent."""
        name, found = self.name, line_of(self.lines, path)
        carrier = _CARRIER.match(path)
        profile = self.profiles.get(int(carrier[1])) if carrier is not None else None
        if carrier is not None and profile is not None:
            inside = line_of(profile[1], path[carrier.end() :])
            if inside is not None and (found is None or carrier.end() + inside[0] > found[0]):
                name, found = profile[0], inside
        return f"{name}:{found[1]}" if found is not None else name

    def _stop_if_wrong(self) -> None:
        if self.problems:
            raise ConfigProblems(self.problems)

    def _convert(self, value: Any, kind: Any, path: str) -> Any:
        try:
            return msgspec.convert(value, kind, dec_hook=quantity)
        except msgspec.ValidationError as error:
            self.complain(*explain(pinpoint(str(error), value, kind), kind, path))
            return None

    def _apply_environment(self) -> None:
        for key, value in self.environment.items():
            section, found, name = key.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
            if not (key.startswith(ENVIRONMENT_PREFIX) and found):
                continue
            table = self.raw.setdefault(section, {})
            if not isinstance(table, dict):
                self.complain(section, f"{key} cannot set a value in the list [[{section}]]")
                continue
            try:
                table[name] = tomllib.loads(f"value = {value}")["value"]
            except tomllib.TOMLDecodeError:
                table[name] = value

    def _merge_profiles(self) -> None:
        carriers = self.raw.get("carrier")
        if not isinstance(carriers, list):
            return
        for place, carrier in enumerate(carriers):
            profile = carrier.get("profile") if isinstance(carrier, dict) else None
            if not isinstance(profile, str):
                continue
            path = self._profile_path(profile)
            try:
                text = path.read_text("utf-8")
                base = tomllib.loads(text)
            except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
                known = ", ".join(sorted(file.stem for file in PROFILES.glob("*.toml"))) or "none"
                self.complain(
                    f"carrier[{place}].profile",
                    f"profile {profile!r} cannot be read ({error}); shipped profiles: {known}",
                )
                continue
            self.profiles[place] = str(path), locate(text)
            carriers[place] = _merged(base, carrier)

    def _profile_path(self, profile: str) -> Path:
        if "/" in profile or profile.endswith(".toml"):
            return self.directory / profile
        return PROFILES / f"{profile}.toml"

    def _policy_file(self, name: str) -> str:
        """Paths start where the configuration stands, as those of profiles do."""
        return str(self.directory.absolute() / name) if "/" in name else name

    def _resolve(self, found: s.Settings) -> s.Settings:
        """Fill in what the environment holds; reduce keys to hashes."""
        replace = msgspec.structs.replace
        carriers = []
        for place, carrier in enumerate(found.carrier):
            password = self._secret(
                f"carrier[{place}]", "password", carrier.password, carrier.password_env
            )
            carriers.append(replace(carrier, password=password or "", password_env=None))
        accounts = []
        for place, account in enumerate(found.account):
            at = f"account[{place}]"
            keys = [self._key(f"{at}.keys[{index}]", key) for index, key in enumerate(account.keys)]
            webhooks = [
                replace(
                    hook,
                    secret=self._secret(
                        f"{at}.webhooks[{index}]", "secret", hook.secret, hook.secret_env
                    ),
                    secret_env=None,
                )
                for index, hook in enumerate(account.webhooks)
            ]
            logins = [
                self._login(f"{at}.smpp[{index}]", login)
                for index, login in enumerate(account.smpp)
            ]
            accounts.append(
                replace(account, keys=tuple(keys), webhooks=tuple(webhooks), smpp=tuple(logins))
            )
        policy = replace(
            found.policy,
            quiet_hours=self._policy_file(found.policy.quiet_hours),
            zones=self._policy_file(found.policy.zones),
            senders=self._policy_file(found.policy.senders),
            keywords=self._policy_file(found.policy.keywords),
            stopwords=tuple(map(self._policy_file, found.policy.stopwords)),
        )
        return replace(found, carrier=tuple(carriers), account=tuple(accounts), policy=policy)

    def _key(self, path: str, key: s.Key) -> s.Key:
        given = [name for name in ("value", "hash", "env") if getattr(key, name) is not None]
        if len(given) != 1:
            self.complain(path, "a key needs exactly one of value, hash, env")
            return key
        value = key.value if key.env is None else self._from_environment(path, "env", key.env)
        if value is not None:
            digest = hashlib.sha256(value.encode()).hexdigest()
            return msgspec.structs.replace(key, value=None, env=None, hash=digest)
        return key

    def _login(self, path: str, login: s.SmppLogin) -> s.SmppLogin:
        given = ("password", "password_hash", "password_env")
        if sum(getattr(login, name) is not None for name in given) != 1:
            self.complain(path, f"a login needs exactly one of {', '.join(given)}")
            return login
        if login.password_env is None:
            return login
        value = self._from_environment(path, "password_env", login.password_env)
        return msgspec.structs.replace(login, password=value, password_env=None)

    def _secret(self, path: str, name: str, value: str | None, variable: str | None) -> str | None:
        if variable is None:
            return value
        if value is not None:
            self.complain(f"{path}.{name}", f"give {name} or {name}_env, not both")
        return self._from_environment(path, f"{name}_env", variable)

    def _from_environment(self, path: str, name: str, variable: str) -> str | None:
        value = self.environment.get(variable)
        if not value:
            self.complain(
                f"{path}.{name}", f"environment variable {variable} is not set; set it or give "
                f"the value another way",
            )  # fmt: skip
        return value


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` where it says something, else `base`; tables are merged key by key, so that a carrier
    can add one TLV or one status to those of its profile."""
    merged = {**base, **over}
    for key, value in over.items():
        below = base.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _merged(below, value)
    return merged
