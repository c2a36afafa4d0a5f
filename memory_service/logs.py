"""Logs on standard error: text on a terminal, JSON elsewhere. They never contain stored messages."""

import logging
import sys
from typing import Any

import orjson
import structlog


def log_to_stderr(level: int, style: str = "auto", *, worker: int | None = None) -> None:
    """Log events of `level` and above as `json`, `text`, or `auto`: text if standard error is a terminal.

    Tracebacks omit local variables, which may contain messages. The lines of a worker contain its number.
    """
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(_json)
    if text:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)

    def add_worker(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return event if worker is None else {**event, "worker": worker}

    structlog.configure(
        processors=[
            add_worker,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if text else [structlog.processors.ExceptionRenderer(traceback)]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # One write per line: under PYTHONUNBUFFERED print() writes twice, which would mix lines of several workers.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_LibraryHandler()])


class _LibraryHandler(logging.Handler):
    """Writes log records of libraries in the format of this service."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record of a library."""
        error = record.exc_info[1] if record.exc_info else None
        details = {} if error is None else {"cause": repr(error)[:300]}
        structlog.get_logger().log(
            record.levelno, "library", name=record.name, said=record.getMessage()[:500], **details
        )


def _json(event: Any, **_: Any) -> str:
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    return orjson.dumps(first | event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
