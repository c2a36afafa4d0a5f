"""`memory-service serve`, and what every command that runs a server needs: settings, logs, errors in words."""

import logging
import sys
from collections.abc import Callable

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console

from memory_service.memory.errors import MemoryServiceError
from memory_service.settings import Settings


def run_server(run: Callable[[Settings], None], *, log_level: int) -> None:
    """Read the settings and run; what is wrong with them or the machine is told in words, with exit status 2 or 1."""
    _log_to_stderr(log_level)
    console = Console(stderr=True, highlight=False)
    try:
        settings = Settings()
    except ValidationError as error:
        for one in error.errors():
            name = "_".join(str(part) for part in one["loc"]).upper()
            console.print(f"[bold red]MEMORY_{name}[/]: {one['msg']}", soft_wrap=True)
        raise typer.Exit(2) from error
    try:
        run(settings)
    except (MemoryServiceError, OSError) as error:
        console.print(f"[bold red]error[/]: {error}", soft_wrap=True)
        raise typer.Exit(1) from error


def _log_to_stderr(level: int) -> None:
    """Lines for people on a terminal, JSON elsewhere. Never contents of memories."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if terminal else [structlog.processors.dict_tracebacks]),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
