"""Webhooks by the Standard Webhooks specification: the body, the secrets and the headers with the signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from core.ciphers import StoredSecrets
from core.errors import InternalError
from core.notifications.models import Event, Rule
from core.reencryption import Reencryption

WEBHOOK_KEYS = StoredSecrets("fedhub webhook secrets")
PREFIX = "whsec_"
KEY_BYTES = 32
OVERLAP = timedelta(hours=24)
"""How long the secret before the last one signs too."""
MAX_EVENTS = 100
"""A webhook tells so many events, and the number of the others."""


def new_secret() -> str:
    """Return a new secret as receivers write it: `whsec_` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def is_secret(text: str) -> bool:
    """Tell whether the text is a secret of the specification: `whsec_` and the base64 of 24 to 64 bytes."""
    if not text.startswith(PREFIX):
        return False
    try:
        return 24 <= len(base64.b64decode(text.removeprefix(PREFIX), validate=True)) <= 64
    except ValueError:
        return False


def page_of(event: Event) -> str:
    """Return the address of the event's page in the admin, or of the dashboard for an event without one."""
    path = reverse("admin:index")
    if event.page:
        with suppress(NoReverseMatch):
            path = reverse(event.page, args=[event.object_id])
    return f"{settings.FEDHUB_SERVER_URL}{path}"


def body_of(rule: Rule, events: Sequence[Event], count: int, now: datetime) -> str:
    """Return the JSON text of a webhook: at most 100 of the events, and the number of all."""
    told = [_event_json(event) for event in events[:MAX_EVENTS]]
    data = {"rule": {"id": rule.pk, "name": rule.name}, "count": count, "events": told}
    return _json("fedhub.notification", data, now)


def body_of_test(rule: Rule, now: datetime) -> str:
    """Return the JSON text of a test."""
    data: dict[str, Any] = {"rule": {"id": rule.pk, "name": rule.name}, "count": 0, "events": []}
    return _json("fedhub.test", data, now)


def headers_of(message_id: str, body: str, keys: Sequence[str], *, timestamp: int) -> dict[str, str]:
    """Return the headers of an attempt, with one signature for each of the secrets `keys`, divided by spaces.

    The signed text is `id.timestamp.body` (Standard Webhooks, "Signature scheme"); `timestamp` is in seconds.
    """
    signed = f"{message_id}.{timestamp}.{body}".encode()
    signatures = [
        base64.b64encode(hmac.new(base64.b64decode(key.removeprefix(PREFIX)), signed, hashlib.sha256).digest())
        for key in keys
    ]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature.decode('ascii')}" for signature in signatures),
    }


def signing_keys(rule: Rule, now: datetime) -> list[str]:
    """Return the secrets that sign now, the newest first; raise InternalError if one cannot be read."""
    stored = [rule.secret]
    if rule.previous_until and rule.previous_until > now:
        stored.append(rule.previous_secret)
    return [WEBHOOK_KEYS.decrypt(text) for text in stored if text]


def reencrypt_webhook_secrets() -> Reencryption:
    """Encrypt every secret with the first key of FEDHUB_SECRETS_KEY; a second run goes on."""
    rewritten, unchanged, unreadable = 0, 0, []
    for rule in Rule.objects.exclude(secret="").order_by("pk"):
        for column in ("secret", "previous_secret"):
            stored = getattr(rule, column)
            if not stored or WEBHOOK_KEYS.is_of_first_key(stored):
                unchanged += bool(stored)
                continue
            try:
                encrypted = WEBHOOK_KEYS.encrypt(WEBHOOK_KEYS.decrypt(stored))
            except InternalError:
                unreadable.append(f"the webhook secret of the rule {rule.name}")
                continue
            rewritten += Rule.objects.filter(pk=rule.pk, **{column: stored}).update(**{column: encrypted})
    return Reencryption(rewritten, unchanged, tuple(unreadable))


def _event_json(event: Event) -> dict[str, str | int]:
    return {
        "id": event.pk,
        "kind": event.kind,
        "at": event.at.isoformat(),
        "text": event.text,
        "federation": event.federation_id,
        "peer": event.peer_id,
        "url": page_of(event),
    }


def _json(kind: str, data: dict[str, Any], now: datetime) -> str:
    return json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}, separators=(",", ":"))
