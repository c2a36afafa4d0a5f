"""Logs: lines for people on a terminal, JSON elsewhere, on standard error. Never the contents of memories."""

import logging
import sys
from typing import Any

import orjson
import structlog


def log_to_stderr(level: int, style: str = "auto") -> None:
    """Log events of `level` and above, as `json`, as `text`, or as it fits where standard error goes. Tracebacks come
    without local variables, which hold what people said."""
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(_json)
    if text:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if text else [structlog.processors.ExceptionRenderer(traceback)]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
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
