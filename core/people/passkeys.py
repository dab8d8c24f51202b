"""Passkeys (WebAuthn) as a second factor: fido2 verifies, and the table keeps public keys and counters."""

from __future__ import annotations

import json
import logging
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from core.people.models import FactorKind, SecondFactor

STATE = "passkey"
MAX_ANSWER = 20_000
# What a malformed answer of a browser makes fido2 raise.
FAULTS = (ValueError, TypeError, KeyError, AttributeError, IndexError)

logger = logging.getLogger(__name__)


def may_use_passkeys() -> bool:
    """Tell whether browsers allow passkeys at the hub's address: it must have a name, and https unless it is local."""
    parts = urlsplit(settings.FEDHUB_SERVER_URL)
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return parts.scheme == "https" or host == "localhost"
    return False


def begin_registration(request: HttpRequest, user: User) -> str:
    """Return the options for a new passkey as JSON; the session keeps the challenge."""
    entity = PublicKeyCredentialUserEntity(
        id=f"fedhub-{user.pk}".encode(), name=user.get_username(), display_name=user.get_full_name() or user.username
    )
    options, state = _server().register_begin(
        entity,
        _credentials(user),
        resident_key_requirement=ResidentKeyRequirement.DISCOURAGED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    request.session[STATE] = state
    return json.dumps(dict(options.public_key))


def register(request: HttpRequest, user: User, *, name: str, answer: str) -> bool:
    """Store the passkey of the browser's answer; tell whether the answer is right for the session's challenge."""
    state = request.session.pop(STATE, None)
    if state is None:
        return False
    try:
        found = _server().register_complete(state, _read(answer))
        credential = found.credential_data
        if credential is None:
            return False
    except FAULTS as exc:
        logger.warning("Refused a new passkey: %s", exc)
        return False
    credential_id = websafe_encode(credential.credential_id)
    if len(credential_id) > 1400 or SecondFactor.objects.filter(credential_id=credential_id).exists():
        return False
    SecondFactor.objects.create(
        user=user,
        kind=FactorKind.PASSKEY,
        name=name,
        credential_id=credential_id,
        public_data=websafe_encode(bytes(credential)),
        sign_count=found.counter,
    )
    return True


def begin_proof(request: HttpRequest, user: User) -> str:
    """Return the options for a proof by a passkey of the user as JSON, or an empty text if the user has none."""
    credentials = _credentials(user)
    if not credentials or not may_use_passkeys():
        return ""
    options, state = _server().authenticate_begin(credentials, UserVerificationRequirement.PREFERRED)
    request.session[STATE] = state
    return json.dumps(dict(options.public_key))


def accept_proof(request: HttpRequest, user: User, answer: str) -> bool:
    """Tell whether the browser's answer proves a passkey of the user for the session's challenge, which is used up."""
    state = request.session.pop(STATE, None)
    if state is None:
        return False
    try:
        read = _read(answer)
        credential = _server().authenticate_complete(state, _credentials(user), read)
        counter = AuthenticationResponse.from_dict(read).response.authenticator_data.counter
    except FAULTS as exc:
        logger.warning("Refused a passkey: %s", exc)
        return False
    row = SecondFactor.objects.filter(user=user, credential_id=websafe_encode(credential.credential_id))
    # WebAuthn, section 6.1.1: a counter that does not grow is a sign of a copied authenticator; 0 means it has none.
    fresh = row.filter(sign_count__lt=counter) if counter else row.filter(sign_count=0)
    return bool(fresh.update(sign_count=counter, used_at=timezone.now()))


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > MAX_ANSWER:
        raise ValueError("the answer is too long")
    read = json.loads(answer)
    if not isinstance(read, dict):
        raise TypeError("the answer is not an object")
    return read


def _credentials(user: User) -> list[AttestedCredentialData]:
    rows = SecondFactor.objects.filter(user=user, kind=FactorKind.PASSKEY).values_list("public_data", flat=True)
    return [AttestedCredentialData(websafe_decode(row)) for row in rows]


def _server() -> Fido2Server:
    host = urlsplit(settings.FEDHUB_SERVER_URL).hostname or ""
    entity = PublicKeyCredentialRpEntity(id=host, name="fedhub")
    # fido2 would also take an origin of a subdomain, or with another port.
    return Fido2Server(entity, verify_origin=lambda origin: origin == settings.FEDHUB_SERVER_URL)
