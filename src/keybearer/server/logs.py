"""The server's log: its format, its level, and the request id of each line."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from keybearer.masking import masked

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered. Empty elsewhere. Tasks that a request starts inherit it."""


class RequestIdFilter(logging.Filter):
    """Adds the request's id to each record that belongs to a request. It lets every record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        current = request_id.get()
        if current:
            record.request_id = current
        return True


class TextFormatter(logging.Formatter):
    """One line for people, with the request's id at its end. Text that looks like a key is masked."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  as logging has it
        belongs_to = getattr(record, "request_id", "")
        line = super().formatMessage(record)
        return f"{line} [request {belongs_to}]" if belongs_to else line

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class JSONFormatter(JsonFormatter):
    """One JSON object per line, for programs. Text that looks like a key is masked."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def logging_config(log_format: str, log_level: str) -> dict[str, Any]:
    """The argument of `logging.config.dictConfig`. Everything is written to standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request id": {"()": RequestIdFilter}},
        "formatters": {
            "text": {"()": TextFormatter, "fmt": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            "json": {
                "()": JSONFormatter,
                "fmt": "%(levelname)s %(name)s %(message)s",
                "rename_fields": {"levelname": "level", "name": "logger", "exc_info": "exception"},
                "timestamp": "time",
            },
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "filters": ["request id"],
                "formatter": log_format,
                "stream": "ext://sys.stderr",
            }
        },
        "loggers": {
            "_granian": {"propagate": True},
            "python_multipart": {"level": "ERROR"},  # anybody can send an unreadable form
        },
        "root": {"handlers": ["stderr"], "level": log_level.upper()},
    }
