"""`memory-service serve`, and what every command that runs a server needs: settings, logs, errors in words."""

import logging
from collections.abc import Callable, Iterator

import typer
from pydantic import ValidationError

from memory_service.cli.output import print_error
from memory_service.domain.errors import MemoryServiceError
from memory_service.logs import log_to_stderr
from memory_service.settings import Settings
from memory_service.workers import Plan, become_supervisor

_TO_CLOSE = 8.0
"""Seconds that a worker has to close all else, once its calls have ended: less than Kubernetes gives the service."""


def read_settings() -> Settings:
    """The settings; what is wrong with them is told in a line for each, with exit status 2."""
    try:
        return Settings()
    except ValidationError as error:
        for line in explained(error):
            print_error(*line)
        raise typer.Exit(2) from error


def explained(error: ValidationError) -> Iterator[tuple[str, str]]:
    """For each thing that is wrong: the setting, what is wrong, and an example."""
    for one in error.errors():
        said = one["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        field = Settings.model_fields.get(str(one["loc"][0])) if one["loc"] else None
        if field is None:  # Several settings that do not go together: the text names them.
            yield said.split("=")[0].split()[0], said
            continue
        name = f"MEMORY_{str(one['loc'][0]).upper()}"
        example = field.examples[0] if field.examples else field.get_default()
        yield name, f"{said}; for example {name}={example}"


def run_server(run: Callable[[Settings], None], *, quiet: bool = False, worker: int | None = None) -> None:
    """Read the settings and run; what is wrong with them or the machine is told in words, with exit status 2 or 1.
    `quiet` logs errors alone; lines of a worker have its number."""
    settings = read_settings()
    level = logging.ERROR if quiet else logging.getLevelNamesMapping()[settings.log_level.upper()]
    log_to_stderr(level, settings.log_format, worker=worker)
    try:
        run(settings)
    except (MemoryServiceError, OSError) as error:
        print_error("error", str(error))
        raise typer.Exit(1) from error


def serve_here_or_by_workers(settings: Settings) -> None:
    """Serve in this process, or let workers do it."""
    if settings.workers > 1:
        become_supervisor(
            Plan(
                workers=settings.workers,
                listen=settings.listen,
                health_listen=settings.health_listen,
                metrics_listen=settings.metrics_listen,
                data_dir=None if settings.valkey_url else str(settings.data_dir),
                patience=settings.drain + settings.grace + _TO_CLOSE,
                log_level=settings.log_level,
                log_format=settings.log_format,
            )
        )
    from memory_service.server import serve  # noqa: PLC0415 - a supervisor has no use for it

    serve(settings)


def serve_as_worker(settings: Settings) -> None:
    """Serve for a supervisor, on its port."""
    from memory_service.server import serve  # noqa: PLC0415 - as above

    serve(settings, supervised=True)
