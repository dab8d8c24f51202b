"""Keeps a form that was sent too late for its proof, so that the person does not have to fill it in again."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from django.http import HttpRequest

SESSION_NAME = "kept_form"
MAX_CHARS = 20_000
KEPT_SECONDS = 600
# Such values are not stored in a session, not even for minutes.
SECRET_WORDS = ("password", "secret", "token", "key", "code")


@dataclass(frozen=True, slots=True)
class KeptForm:
    """The fields of a form that was sent to `path`; `page` is the page that sent it, and `kept_at` the time.

    `is_kept` is False for a form that is large or has files or secrets: its fields are not here.
    """

    path: str
    page: str
    fields: list[tuple[str, str]]
    kept_at: float
    is_kept: bool = True

    @property
    def reason(self) -> str:
        """Return the reason that the person gave, which the page shows again."""
        return next((value for name, value in self.fields if name == "reason"), "")


def keep_form(request: HttpRequest, page: str) -> None:
    """Keep the posted form in the session; of one that is large or has files or secrets, only that it was sent."""
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    fields = [(name, value) for name, value in fields if name != "csrfmiddlewaretoken"]
    has_secret = any(word in name.lower() for name, _ in fields for word in SECRET_WORDS)
    size = sum(len(name) + len(value) for name, value in fields)
    is_kept = not (request.FILES or has_secret or size > MAX_CHARS)
    kept = KeptForm(request.get_full_path(), page, fields if is_kept else [], time.time(), is_kept)
    request.session[SESSION_NAME] = asdict(kept)


def take_form(request: HttpRequest) -> KeptForm | None:
    """Return the kept form, which the session then forgets; None if there is none or it is older than 10 minutes."""
    found = request.session.pop(SESSION_NAME, None)
    kept = KeptForm(**found) if found else None
    return kept if kept is not None and time.time() - kept.kept_at < KEPT_SECONDS else None
