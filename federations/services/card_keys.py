"""Pin keys for agent cards, fetch the JWK Sets that staff pinned by address, and retire keys.

A set is fetched when staff pin its address and when they ask for it again, never because a card names a key: who serves
the set could otherwise bring in a key at any time without a person who looks at it.
"""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from core.activity.sources import record_model
from core.actors import Actor
from core.errors import ConflictError, ExternalServiceError, InvalidRequestError
from core.jobs.queue import enqueue
from core.malformed_input import MalformedMessage
from core.net.client import TIMEOUT_SECONDS, TransportError, is_permitted_url, send
from core.store.unit_of_work import locked, retried, unit_of_work
from core.strict_json import parse_json_object
from federations.models import CardKeyPin, Federation
from federations.sync.card_keys import CardKeyError, read_jwk, read_jwk_set
from federations.sync.resources import JsonObject

MAX_BYTES = 65_536

record_model(CardKeyPin, ["name", "federation", "organization", "kid", "jwks", "jwks_url", "note", "retired_at"])


@retried
def pin_card_key(
    *,
    name: str,
    jwk: str = "",
    jwks_url: str = "",
    federation: Federation | None = None,
    organization: str = "",
    note: str = "",
    by: Actor,
) -> CardKeyPin:
    """Pin a key, given as the JSON text of a public JWK, or the keys of the JWK Set at an address.

    A worker fetches the set. The agents are checked again by a job. Raises InvalidRequestError.
    """
    if bool(jwk.strip()) == bool(jwks_url.strip()):
        raise InvalidRequestError("Give a public key or the address of a JWK Set, one of the two")
    pin = CardKeyPin(
        name=name, federation=federation, organization=organization.strip(), note=note, created_by_name=by.name
    )
    if jwks_url.strip():
        pin.jwks_url = _checked_url(jwks_url.strip())
    else:
        key = _read_key(jwk)
        pin.kid, pin.jwks = str(key["kid"]), [key]
    with unit_of_work(with_accounts=True):
        pin.save(force_insert=True)
        if pin.jwks_url:
            enqueue("federations.fetch_card_keys", pin.pk)
        else:
            enqueue("federations.check_cards")
    return pin


def fetch_card_keys(pin: CardKeyPin) -> int:
    """Fetch the JWK Set of a pinned address, keep its usable keys, and return their number.

    Call it outside of any transaction. Raises ConflictError for a key that is retired or has no address, and
    ExternalServiceError, with which the keys stay as they were.
    """
    if pin.is_retired or not pin.jwks_url:
        raise ConflictError("The key is retired" if pin.is_retired else "The key has no address to fetch it from")
    try:
        keys = read_jwk_set(_fetch(pin.jwks_url))
    except (CardKeyError, ExternalServiceError) as exc:
        text = exc.message if isinstance(exc, ExternalServiceError) else f"{pin.jwks_url}: {exc}"
        CardKeyPin.objects.filter(pk=pin.pk).update(tried_at=timezone.now(), fetch_error=text[:2000])
        raise ExternalServiceError(text) from exc
    _keep(pin, keys)
    return len(keys)


@retried
def retire_card_key(pin: CardKeyPin, *, by: Actor, reason: str) -> None:
    """Take a key out of use; the agents are checked again by a job. Raises ConflictError for a retired key."""
    with unit_of_work(with_accounts=True):
        row = locked(CardKeyPin.objects.filter(pk=pin.pk)).get()
        if row.is_retired:
            raise ConflictError("The key is retired already")
        row.retired_at = row.changed_at = timezone.now()
        row.retired_by_name, row.retired_reason = by.name, reason
        row.save(update_fields=["retired_at", "changed_at", "retired_by_name", "retired_reason"])
        enqueue("federations.check_cards")


@retried
def _keep(pin: CardKeyPin, keys: list[JsonObject]) -> None:
    now = timezone.now()
    with unit_of_work(with_accounts=True):
        row = locked(CardKeyPin.objects.filter(pk=pin.pk)).get()
        if row.jwks != keys:
            row.jwks, row.changed_at = keys, now
            enqueue("federations.check_cards")
        row.fetched_at, row.tried_at, row.fetch_error = now, now, ""
        row.save(update_fields=["jwks", "changed_at", "fetched_at", "tried_at", "fetch_error"])


def _read_key(text: str) -> JsonObject:
    try:
        return read_jwk(parse_json_object(text, max_bytes=MAX_BYTES))
    except (CardKeyError, MalformedMessage) as exc:
        raise InvalidRequestError(f"key: {exc}") from exc


def _checked_url(url: str) -> str:
    if not is_permitted_url(url, allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS):
        raise InvalidRequestError("address: it must be https and lead to the public Internet")
    return url


def _fetch(url: str) -> JsonObject:
    try:
        answer = send(
            "GET",
            url,
            headers={"Accept": "application/json, application/jwk-set+json"},
            allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS,
            timeout_seconds=TIMEOUT_SECONDS,
            max_bytes=MAX_BYTES,
        )
        if answer.status != 200:
            raise ExternalServiceError(f"{url} answered {answer.status} instead of a JWK Set")
        return parse_json_object(answer.body, max_bytes=MAX_BYTES)
    except (TransportError, MalformedMessage) as exc:
        raise ExternalServiceError(f"{url}: {exc}") from exc
