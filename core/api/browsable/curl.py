"""The same request for a shell: a `curl` command that a person copies."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

JSON_HEADER = {"Content-Type": "application/json"}


def curl_command(method: str, url: str, *, body: str | None = None, headers: Mapping[str, str] | None = None) -> str:
    r"""Return the command, with one option a line; `$TOKEN` stands for the caller's token.

    Every value is quoted for a POSIX shell. `body` is sent as it stands, with its media type.
    """
    options = ['-H "Authorization: Bearer $TOKEN"']
    options += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in (headers or {}).items()]
    if body is not None:
        options += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in JSON_HEADER.items()]
        options.append(f"-d {shlex.quote(body)}")
    start = "curl -s" if method == "GET" else f"curl -s -X {method}"
    return " \\\n  ".join([start, *options, shlex.quote(url)])
