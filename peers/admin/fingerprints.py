"""A fingerprint as staff compare it: hex, words and picture."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe

from peers.protocol.fingerprint_forms import fingerprint_picture, fingerprint_words


@dataclass(frozen=True, slots=True)
class ShownFingerprint:
    """What the template `peers/fingerprint.html` shows of a key."""

    hex: str
    words: tuple[str, ...]
    picture: SafeString


def shown_fingerprint(fingerprint: str) -> ShownFingerprint:
    """Return the forms of a fingerprint in hex; the picture holds nothing but numbers and colors of this hub."""
    picture = fingerprint_picture(fingerprint, "Picture of the fingerprint")
    return ShownFingerprint(fingerprint, fingerprint_words(fingerprint), mark_safe(picture))  # noqa: S308
