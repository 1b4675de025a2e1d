"""Environments: what `--env NAME` means.

`trainworks.toml`, looked for in the start folder and its parents, holds one table an environment:

    [environments.dev]
    profile = "dev"                  # dev | staging | prod
    region = "eu-west-1"
    account = "123456789012"         # checked against the credentials before anything is changed
    aws_profile = "team-dev"         # a profile of the AWS configuration
    environment_suffix = "pr3507"    # names the platform; the environment's name where absent
    twin = false                     # true: the local twin instead of AWS
    notebook = false                 # without a notebook; the same for cost and batch

    [environments.dev.batch]         # any value of the profile: network, storage, cost, ...
    max_vcpus = 32                   # false: without this value, where it may be absent

The table `[twin]` next to them belongs to the twin itself (`twin_settings.py`).

`local` always exists: the twin with the `dev` profile. The variable `ENVIRONMENT_SUFFIX` replaces the suffix.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

from trainworks.config.aws_names import check_region
from trainworks.config.constraints import Flag, Matching, Passing, Record
from trainworks.config.profile import PROFILES, EnvironmentProfile, ProfileName
from trainworks.config.toml_lines import error_at, read_toml
from trainworks.config.twin_settings import TABLE, check_table
from trainworks.errors import ConfigurationError

FILE_NAME = "trainworks.toml"
LOCAL = "local"
DEFAULT_REGION = "us-east-1"
SUFFIX_PATTERN = r"^[a-z][a-z0-9]{0,19}$"
"""No hyphen: jobs are named `<suffix>-...` and permissions end there, so `dev` must not begin `dev-two`."""
TWIN_ACCOUNT = "000000000000"

T = TypeVar("T")

PROFILE_TABLES = ("network", "storage", "monitoring", "cost", "training", "notebook", "batch")
_FIXED = {
    "name": "it is what the profile is called, and what `profile` chooses; environment_suffix names the platform",
    "stack_name": "commands find a platform by it; it is trainworks- and the environment_suffix",
    "partition": "it is derived from the region",
}
"""Keys that people look for and that cannot be set, with the reason."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One place the platform is deployed to. `account` is None if only the credentials tell it."""

    name: str
    is_twin: bool
    environment_suffix: str
    profile: EnvironmentProfile
    region: str
    account: str | None = None
    aws_profile: str | None = None

    @property
    def stack_name(self) -> str:
        """Name of the root stack."""
        return f"trainworks-{self.environment_suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings(Record):
    """One `[environments.NAME]` table, its profile tables aside."""

    profile: ProfileName = ProfileName.DEV
    """How big, how safe and how long-lived the platform is; the other tables replace single values of it."""
    region: Annotated[str, Passing(check_region)] = DEFAULT_REGION
    account: Annotated[str, Matching(r"^\d{12}$", "text of 12 digits")] | None = None
    """The account's id, as text; compared with the credentials before anything is changed."""
    aws_profile: Annotated[str, Matching(r".")] | None = None
    """A profile of the AWS configuration (`~/.aws/config`) that has the credentials."""
    environment_suffix: Annotated[str, Matching(SUFFIX_PATTERN)] | None = None
    """Tells platforms of one account apart; the environment's name where absent. `ENVIRONMENT_SUFFIX` replaces it."""
    twin: Flag = False
    """true: the twin on this machine instead of AWS."""
    termination_protection: Flag | None = None
    """Whether CloudFormation refuses to delete the root stack."""


def load_environment(
    name: str = LOCAL, start_dir: Path | None = None, *, environ: Mapping[str, str] = os.environ
) -> Environment:
    """The environment called `name`, read from the nearest `trainworks.toml` at or above `start_dir` (default: cwd).

    Raises `ConfigurationError` naming file, line, key, the value given and what is allowed.
    """
    path = find_file(start_dir or Path.cwd())
    text, tables = _read(path) if path else ("", {})
    if name not in tables and name != LOCAL:
        known = ", ".join(sorted({LOCAL, *tables}))
        raise ConfigurationError(
            f"environment {name!r} is not defined in {path or FILE_NAME}; defined: {known}",
            fix=f'add a table [environments.{name}] with profile = "dev" to {path or FILE_NAME}',
        )
    table = tables.get(name, {})
    source = _Source(path or Path(FILE_NAME), text, name)
    _refuse_what_cannot_be_set(source, table)
    overrides = {key: table[key] for key in PROFILE_TABLES if key in table}
    settings = _settings(source, {key: value for key, value in table.items() if key not in overrides})
    if settings.termination_protection is not None:
        overrides["termination_protection"] = settings.termination_protection
    is_twin = settings.twin or name == LOCAL
    profile = _profile(source, settings.profile, overrides)
    _check_zones(source, profile, settings.region, overrides)
    return Environment(
        name=name,
        is_twin=is_twin,
        environment_suffix=_suffix(name, settings, environ),
        profile=profile,
        region=settings.region,
        account=TWIN_ACCOUNT if is_twin else settings.account,
        aws_profile=settings.aws_profile,
    )


def environment_names(start_dir: Path | None = None) -> tuple[str, ...]:
    """All environments that can be named, `local` first."""
    path = find_file(start_dir or Path.cwd())
    tables = _read(path)[1] if path else {}
    return (LOCAL, *(name for name in tables if name != LOCAL))


def find_file(start_dir: Path) -> Path | None:
    """The nearest `trainworks.toml` at or above `start_dir`."""
    folder = start_dir.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate / FILE_NAME
    return None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a table came from, so that an error can say so."""

    path: Path
    text: str
    environment: str

    def error(self, keys: Sequence[str], message: str, fix: str) -> ConfigurationError:
        return error_at(self.path, self.text, ("environments", self.environment, *keys), message, fix)


def _read(path: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    text, document = read_toml(path)
    for key in document:
        if key == TABLE:
            check_table(path, text, document[key])
        elif key != "environments":
            raise error_at(
                path,
                text,
                (key,),
                f"unknown key; allowed: environments, {TABLE}",
                "environments are tables such as [environments.dev]",
            )
    tables = document.get("environments", {})
    if not isinstance(tables, dict):
        raise _not_a_table(path, text, ("environments",), tables)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise _not_a_table(path, text, ("environments", name), table)
    return text, tables


def _not_a_table(path: Path, text: str, keys: tuple[str, ...], value: object) -> ConfigurationError:
    fix = 'write [environments.NAME] and below it profile = "dev"'
    return error_at(path, text, keys, f"is {value!r}; allowed: a table", fix)


def _refuse_what_cannot_be_set(source: _Source, table: Mapping[str, object]) -> None:
    allowed = {*(each.name for each in fields(EnvironmentSettings)), *PROFILE_TABLES}
    for key in table:
        if key in _FIXED:
            raise source.error((key,), f"cannot be set: {_FIXED[key]}", "remove the key")
        if key not in allowed:
            from difflib import get_close_matches  # noqa: PLC0415 - for a mistake alone

            close = get_close_matches(key, allowed, n=1)
            fix = f"did you mean {close[0]}?" if close else "remove the key"
            raise source.error((key,), f"unknown key; allowed: {', '.join(sorted(allowed))}", fix)


def _settings(source: _Source, values: Mapping[str, object]) -> EnvironmentSettings:
    return _checked(source, EnvironmentSettings, values) if values else EnvironmentSettings()


def _checked(source: _Source, record: type[T], values: Mapping[str, object]) -> T:
    # Only now is pydantic needed: an environment without settings of its own does not wait for its import.
    from trainworks.config.validation import InvalidValueError, checked  # noqa: PLC0415

    try:
        return checked(record, values)
    except InvalidValueError as error:
        raise source.error(error.keys, error.message, error.fix) from None


def _suffix(name: str, settings: EnvironmentSettings, environ: Mapping[str, str]) -> str:
    chosen = environ.get("ENVIRONMENT_SUFFIX") or settings.environment_suffix or ("dev" if name == LOCAL else name)
    return checked_suffix(chosen)


def checked_suffix(value: str) -> str:
    """`value` if it can name a platform, else `ConfigurationError`."""
    if not re.fullmatch(SUFFIX_PATTERN, value):
        raise ConfigurationError(
            f"environment suffix {value!r} is not allowed; allowed: a lower-case letter, then up to 19 lower-case "
            "letters and digits",
            fix="set ENVIRONMENT_SUFFIX or environment_suffix to a name such as dev or pr3507",
        )
    return value


def _profile(source: _Source, name: ProfileName, overrides: Mapping[str, object]) -> EnvironmentProfile:
    if not overrides:
        return PROFILES[name]
    # As in `_checked`: most environments do not wait for pydantic.
    from trainworks.config.overrides import overridden  # noqa: PLC0415
    from trainworks.config.validation import InvalidValueError  # noqa: PLC0415

    try:
        return overridden(PROFILES[name], overrides)
    except InvalidValueError as error:
        raise source.error(error.keys, error.message, error.fix) from None


def _check_zones(source: _Source, profile: EnvironmentProfile, region: str, overrides: Mapping[str, Any]) -> None:
    try:
        profile.network.zone_letters(region)
    except ConfigurationError as error:
        keys = ("network", "availability_zones") if "availability_zones" in overrides.get("network", {}) else ()
        raise source.error(keys, error.message, error.fix) from None
