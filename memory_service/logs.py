"""Logs: lines for people on a terminal, JSON elsewhere, on standard error. Never the contents of memories."""

import logging
import sys
from typing import Any

import orjson
import structlog


def log_to_stderr(level: int, style: str = "auto", *, worker: int | None = None) -> None:
    """Log events of `level` and above, as `json`, as `text`, or as it fits where standard error goes. Tracebacks come
    without local variables, which hold what people said. Of several processes each line tells which one wrote it."""
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(_json)
    if text:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)

    def told(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return event if worker is None else {**event, "worker": worker}

    structlog.configure(
        processors=[
            told,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if text else [structlog.processors.ExceptionRenderer(traceback)]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # A line is one write: print() makes two of it under PYTHONUNBUFFERED, and workers' lines would run together.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()])


class _Libraries(logging.Handler):
    """What libraries log, as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log it."""
        error = record.exc_info[1] if record.exc_info else None
        told = {} if error is None else {"cause": repr(error)[:300]}
        structlog.get_logger().log(record.levelno, "library", name=record.name, said=record.getMessage()[:500], **told)


def _json(event: Any, **_: Any) -> str:
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    return orjson.dumps(first | event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
