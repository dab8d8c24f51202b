"""The hub's log: one line of text for each event, or one JSON object (FEDHUB_LOG_FORMAT=json), never with a secret."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from core import environment
from core.log_ids import ID_NAMES, log_ids
from core.tracing import trace_id

STARS = "********"
MIN_SECRET_CHARS = 6
MAX_CHARS = 20_000
# RFC 6750, section 2.1; the key that peers send; the userinfo of an address (RFC 3986, section 3.2.1).
_CREDENTIALS = re.compile(r"(?i)\b((?:bearer|basic)\s+|x-api-key['\"]?\s*[:=]\s*['\"]?)[^\s'\",]+")
_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]{1,20}://)[^\s/?#'\"<>@]*@")


class JsonFormatter(logging.Formatter):
    """The formatter that writes a record as one JSON object on one line.

    Its keys are `time` (RFC 3339, UTC), `level`, `logger`, `message`, `error` with the traceback, and those ids of
    `core.log_ids` that are known, and `trace_id` while traces are on.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(record.getMessage())[:MAX_CHARS],
        }
        # A record of another thread than the request's names its ids itself.
        line |= {name: value for name in ID_NAMES if (value := getattr(record, name, "") or log_ids().get(name, ""))}
        if trace := trace_id():
            line["trace_id"] = trace
        if record.exc_info and record.exc_info[0]:
            line["error"] = without_secrets(self.formatException(record.exc_info))[-MAX_CHARS:]
        return json.dumps(line, ensure_ascii=False)


def without_secrets(text: str) -> str:
    """Return the text with stars in place of the values of secret settings, of credentials and of userinfo."""
    text = _USERINFO.sub(rf"\1{STARS}@", _CREDENTIALS.sub(rf"\1{STARS}", text))
    for value in sorted(environment.secret_values(), key=len, reverse=True):
        if len(value) >= MIN_SECRET_CHARS and value in text:
            text = text.replace(value, STARS)
    return text


def logging_settings() -> dict[str, Any]:
    """Return Django's setting LOGGING."""
    form = environment.choice("FEDHUB_LOG_FORMAT", "text", ("text", "json"))
    has_access_log = environment.boolean("FEDHUB_ACCESS_LOG", default=False)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "{asctime} {levelname} {name} {message}", "style": "{"},
            "json": {"()": "fedhub.logs.JsonFormatter"},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["stderr"], "level": environment.text("LOG_LEVEL", "INFO").upper()},
        "loggers": {
            "fedhub.access": {"level": "INFO" if has_access_log else "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            # A wrong answer of a runtime is an error of that runtime and needs no traceback in the hub's log.
            "mcp": {"level": "CRITICAL"},
            "botocore": {"level": "WARNING"},
            # At DEBUG it writes codes and tokens.
            "oauthlib": {"level": "INFO"},
        },
    }
