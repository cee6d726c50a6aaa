"""The option every command that needs a configuration has, and what it does with a wrong one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from config.load import ConfigProblems, load
from config.settings import Settings

CONFIG: Final = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar="ALDIS_CONFIG",
    default="aldis.toml",
    show_default=True,
    help="Configuration file.",
)


def settings_from(path: Path) -> Settings:
    """The settings in `path`; complaints go to standard error, exit code 2."""
    try:
        return load(path)
    except ConfigProblems as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(2)
