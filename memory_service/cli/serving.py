"""The command `serve`, and the settings, logs and errors of every command that runs a server."""

import logging
from collections.abc import Callable, Iterator

import typer
from pydantic import ValidationError

from memory_service.cli.output import print_error
from memory_service.domain.errors import MemoryServiceError
from memory_service.logs import log_to_stderr
from memory_service.settings import Settings
from memory_service.workers import Plan, become_supervisor

_CLOSE_TIMEOUT = 8.0
"""Seconds for a worker to close after its calls have ended: within the grace period of Kubernetes."""


def read_settings() -> Settings:
    """Read the settings; print a line for each wrong one and exit with status 2."""
    try:
        return Settings()
    except ValidationError as error:
        for line in describe_settings_error(error):
            print_error(*line)
        raise typer.Exit(2) from error


def describe_settings_error(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield each wrong setting with the reason and an example."""
    for problem in error.errors():
        reason = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        field = Settings.model_fields.get(str(problem["loc"][0])) if problem["loc"] else None
        if field is None:  # Settings that exclude or need each other: the text begins with a setting's name.
            setting, _, reason = reason.partition(": ")
            yield setting, reason
            continue
        name = f"MEMORY_{str(problem['loc'][0]).upper()}"
        example = field.examples[0] if field.examples else field.get_default()
        yield name, f"{reason}; for example {name}={example}"


def run_server(run: Callable[[Settings], None], *, quiet: bool = False, worker: int | None = None) -> None:
    """Read the settings and run; print errors and exit with status 2 for wrong settings, 1 for others.

    `quiet` logs only errors. `worker` is the number of the process in its log lines.
    """
    settings = read_settings()
    level = logging.ERROR if quiet else logging.getLevelNamesMapping()[settings.log_level.upper()]
    log_to_stderr(level, settings.log_format, worker=worker)
    try:
        run(settings)
    except (MemoryServiceError, OSError) as error:
        print_error("error", str(error))
        raise typer.Exit(1) from error


def serve_here_or_by_workers(settings: Settings) -> None:
    """Serve in this process or in workers."""
    if settings.workers > 1:
        become_supervisor(
            Plan(
                workers=settings.workers,
                listen=settings.listen,
                health_listen=settings.health_listen,
                metrics_listen=settings.metrics_listen,
                data_dir=None if settings.valkey_url else str(settings.data_dir),
                stop_timeout=settings.drain + settings.grace + _CLOSE_TIMEOUT,
                log_level=settings.log_level,
                log_format=settings.log_format,
            )
        )
    from memory_service.server import serve  # noqa: PLC0415 - the supervisor does not need it

    serve(settings)


def serve_as_worker(settings: Settings) -> None:
    """Serve as a worker, on the port of the supervisor."""
    from memory_service.server import serve  # noqa: PLC0415 - as above

    serve(settings, supervised=True)
