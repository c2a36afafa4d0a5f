"""Commands for who sets a server up: what the settings are, and whether everything that they name is well."""

import asyncio
import difflib
import json
import logging
import os
import re
from typing import Any

import typer
from pydantic import SecretStr
from rich.text import Text

from memory_service.cli.output import console, visible
from memory_service.cli.serving import read_settings
from memory_service.doctor.checks import examine
from memory_service.doctor.finding import Finding, State
from memory_service.logs import log_to_stderr
from memory_service.settings import Settings

_OF_CLIENTS = {"MEMORY_ADDRESS", "MEMORY_TOKEN", "MEMORY_TLS", "MEMORY_CA", "MEMORY_CERT", "MEMORY_KEY"}
_STYLES = {State.GOOD: "green", State.RISK: "yellow", State.WRONG: "bold red", State.UNKNOWN: "cyan"}


def show_config(as_json: bool) -> None:
    """Print every setting, its value, and where that comes from."""
    rows = list(_rows(read_settings()))
    unknown = _unknown()
    if as_json:
        told = {name: {"value": value, "from": source} for name, value, source in rows}
        console.print_json(json.dumps({"settings": told, "unknown": list(unknown)}, default=str))
        return
    width = max(len(name) for name, _, _ in rows)
    for name, value, source in rows:
        shown = "not set" if value is None else visible(str(value))
        console.print(
            Text.assemble((f"{name:<{width}}", "" if source == "default" else "bold"), f"  {shown}  ", (source, "dim"))
        )
    for name, meant in unknown.items():
        console.print(Text.assemble((visible(name), "bold red"), f" is no setting{f': {meant}?' if meant else ''}"))


def _rows(settings: Settings) -> "list[tuple[str, Any, str]]":
    given = {name.upper() for name in os.environ}
    rows = []
    for field in Settings.model_fields:
        name = f"MEMORY_{field.upper()}"
        rows.append((name, _shown(getattr(settings, field)), "environment" if name in given else "default"))
    return rows


def _shown(value: Any) -> Any:
    """The value without passwords: a URL keeps its user and its hosts."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or isinstance(value, bool | int | float):
        return value
    return re.sub(r"(?<=://)([^/?#@]*?):[^/?#]*@", r"\1:***@", str(value))


def _unknown() -> dict[str, str]:
    """Variables that look like settings and are none, each with what may have been meant."""
    names = [f"MEMORY_{field.upper()}" for field in Settings.model_fields]
    others = [one for one in os.environ if one.startswith("MEMORY_") and one not in {*names, *_OF_CLIENTS}]
    return {one: next(iter(difflib.get_close_matches(one, names, 1, 0.8)), "") for one in sorted(others)}


def run_doctor(as_json: bool) -> None:
    """Print every finding; exit status 1 when anything is wrong."""
    settings = read_settings()
    log_to_stderr(logging.ERROR, settings.log_format)
    found = asyncio.run(_examined(settings, as_json))
    if as_json:
        told = [{"what": one.what, "state": one.state, "told": one.told, "advice": one.advice} for one in found]
        console.print_json(json.dumps(told))
    if any(one.state is State.WRONG for one in found):
        raise typer.Exit(1)


async def _examined(settings: Settings, quiet: bool) -> list[Finding]:
    found = []
    async for one in examine(settings):
        found.append(one)
        if not quiet:
            console.print(Text.assemble((f"{one.state:<8}", _STYLES[one.state]), visible(f"{one.what}: {one.told}")))
            if one.advice:
                console.print(Text(f"        → {visible(one.advice)}", "dim" if one.state is State.GOOD else ""))
    return found
