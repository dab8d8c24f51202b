"""The words of a federation's form in the place of the API's names, in errors that a provider or a service raises."""

from __future__ import annotations

import re

from federations.services.activity import CONFIG_TITLES

LABELS = {
    **CONFIG_TITLES,
    "providerConfig": "Cloud account",
    "providerType": "Provider",
    "displayName": "Display name",
    "syncIntervalMinutes": "Interval in minutes",
    "changePolicy": "Change policy",
}
# Words that stand for a field only behind `providerConfig.`.
_PLAIN = ("region", "url", "names", "status")
_NAMES = re.compile(
    rf"providerConfig\.({'|'.join(LABELS)})\b|\b({'|'.join(name for name in LABELS if name not in _PLAIN)})\b"
)


def in_form_words(message: str) -> str:
    """Return `message` with the labels of the form's fields in the place of the names of the API contract."""
    return _NAMES.sub(lambda found: LABELS[found[1] or found[2]], message)
