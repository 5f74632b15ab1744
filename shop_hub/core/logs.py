"""Structured logs: one JSON object a line, without personal data."""

import json
import logging
import re
import sys

from shop_hub.core import clock

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_SECRET_NAME = re.compile(r"pin|password|token|code|secret|cookie|name|mail|phone|card", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"D1[A-Z][A-Z2-7]{20,}|\b\d{6,}\b|[\w.+-]+@[\w.-]+")


class JsonFormatter(logging.Formatter):
    """Formats records as JSON and blacks out what looks like a secret or a person."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, object] = {
            "at": clock.now().isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for key, value in record.__dict__.items():
            if key not in _STANDARD:
                line[key] = "…" if _SECRET_NAME.search(key) else _plain(value)
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def redact(text: str) -> str:
    """Black out tokens, long numbers and mail addresses."""
    return _SECRET_TEXT.sub("…", text)


def set_up(level: str) -> None:
    """Send all logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | None) else redact(str(value))
