"""`memory-service serve`, and what every command that runs a server needs: settings, logs, errors in words."""

from collections.abc import Callable

import typer
from pydantic import ValidationError

from memory_service.cli.output import print_error
from memory_service.logs import log_to_stderr
from memory_service.memory.errors import MemoryServiceError
from memory_service.settings import Settings


def run_server(run: Callable[[Settings], None], *, log_level: int) -> None:
    """Read the settings and run; what is wrong with them or the machine is told in words, with exit status 2 or 1."""
    log_to_stderr(log_level)
    try:
        settings = Settings()
    except ValidationError as error:
        for one in error.errors():
            name = "_".join(str(part) for part in one["loc"]).upper()
            print_error(f"MEMORY_{name}", one["msg"])
        raise typer.Exit(2) from error
    try:
        run(settings)
    except (MemoryServiceError, OSError) as error:
        print_error("error", str(error))
        raise typer.Exit(1) from error
