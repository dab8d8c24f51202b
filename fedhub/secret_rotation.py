"""Encrypts the stored secrets of all apps again with the first key of FEDHUB_SECRETS_KEY."""

from __future__ import annotations

from core.actors import Actor
from core.notifications.webhooks import reencrypt_webhook_secrets
from core.people.factor_rotation import reencrypt_factors
from core.reencryption import Reencryption
from federations.services.provider_secrets import reencrypt_provider_secrets
from peers.services.trust.secret_rotation import reencrypt_secrets


def reencrypt_everything(*, by: Actor) -> Reencryption:
    """Encrypt every stored secret with the first key; a second run goes on."""
    of_people = reencrypt_factors() + reencrypt_webhook_secrets()
    return reencrypt_secrets(by=by) + of_people + reencrypt_provider_secrets()
