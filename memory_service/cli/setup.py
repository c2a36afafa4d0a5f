"""The commands `config` and `doctor`, for setting up a server."""

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

from memory_service.cli.output import console, escape
from memory_service.cli.serving import read_settings
from memory_service.doctor.checks import run_checks
from memory_service.doctor.finding import Finding, State
from memory_service.logs import log_to_stderr
from memory_service.settings import Settings

_OTHER_COMMANDS = {
    f"MEMORY_{name}" for name in ("ADDRESS", "TOKEN", "TLS", "CA", "CERT", "KEY", "MCP_KEY", "CONSOLE_KEY")
}
"""Variables that are options of other commands."""
_STYLES = {State.GOOD: "green", State.RISK: "yellow", State.WRONG: "bold red", State.UNKNOWN: "cyan"}


def show_config(as_json: bool) -> None:
    """Print every setting with its value and the source of the value."""
    rows = list(_setting_rows(read_settings()))
    unknown = _unknown_variables()
    if as_json:
        values = {name: {"value": value, "from": source} for name, value, source in rows}
        console.print_json(json.dumps({"settings": values, "unknown": list(unknown)}, default=str))
        return
    width = max(len(name) for name, _, _ in rows)
    for name, value, source in rows:
        shown = "not set" if value is None else escape(str(value))
        console.print(
            Text.assemble((f"{name:<{width}}", "" if source == "default" else "bold"), f"  {shown}  ", (source, "dim"))
        )
    for name, similar in unknown.items():
        console.print(
            Text.assemble(
                (escape(name), "bold red"), f" is not a setting{f': did you mean {similar}?' if similar else ''}"
            )
        )


def _setting_rows(settings: Settings) -> "list[tuple[str, Any, str]]":
    set_names = {name.upper() for name in os.environ}
    rows = []
    for field in Settings.model_fields:
        name = f"MEMORY_{field.upper()}"
        rows.append((name, _masked(getattr(settings, field)), "environment" if name in set_names else "default"))
    return rows


def _masked(value: Any) -> Any:
    """Return the value without passwords: a URL keeps its user and hosts."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or isinstance(value, bool | int | float):
        return value
    return re.sub(r"(?<=://)([^/?#@]*?):[^/?#]*@", r"\1:***@", str(value))


def _unknown_variables() -> dict[str, str]:
    """Return variables that look like settings but are not, each with the name of a similar setting."""
    names = [f"MEMORY_{field.upper()}" for field in Settings.model_fields]
    unknown = [
        variable
        for variable in os.environ
        if variable.startswith("MEMORY_") and variable not in {*names, *_OTHER_COMMANDS}
    ]
    return {
        variable: next(iter(difflib.get_close_matches(variable, names, 1, 0.8)), "") for variable in sorted(unknown)
    }


def run_doctor(as_json: bool) -> None:
    """Print every finding; exit with status 1 if anything is wrong, or else 3 if anything could not be checked."""
    settings = read_settings()
    log_to_stderr(logging.ERROR, settings.log_format)
    findings = asyncio.run(_findings(settings, as_json))
    if as_json:
        rows = [
            {
                "what": finding.subject,
                "state": finding.state,
                "told": finding.summary,  # prose: published
                "advice": finding.advice,
            }
            for finding in findings
        ]
        console.print_json(json.dumps(rows))
    states = {finding.state for finding in findings}
    if status := 1 if State.WRONG in states else 3 if State.UNKNOWN in states else 0:
        raise typer.Exit(status)


async def _findings(settings: Settings, quiet: bool) -> list[Finding]:
    findings = []
    async for finding in run_checks(settings):
        findings.append(finding)
        if not quiet:
            line = escape(f"{finding.subject}: {finding.summary}")
            console.print(Text.assemble((f"{finding.state:<8}", _STYLES[finding.state]), line))
            if finding.advice:
                console.print(Text(f"        → {escape(finding.advice)}", "dim" if finding.state is State.GOOD else ""))
    return findings
