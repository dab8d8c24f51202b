"""The tokens of federations for other registries, encrypted at rest."""

from __future__ import annotations

from core.ciphers import StoredSecrets
from core.errors import InternalError
from core.net.url_grammar import is_same_origin
from core.reencryption import Reencryption
from federations.models import Federation, ProviderType
from federations.sync.resources import JsonObject

PROVIDER_SECRETS = StoredSecrets("fedhub provider secrets")


def encrypted(secret: str) -> str:
    """Return the secret as it is stored; an empty one stays empty."""
    return PROVIDER_SECRETS.encrypt(secret) if secret else ""


def readable(stored: str) -> str:
    """Return a stored secret as it was given; raise InternalError if no key reads it."""
    return PROVIDER_SECRETS.decrypt(stored) if stored else ""


def keeps_secret(old: JsonObject, new: JsonObject) -> bool:
    """Tell whether the stored secret may go on with a new configuration: another server must not get it."""
    return is_same_origin(str(old.get("url", "")), str(new.get("url", "")))


def takes_secret(provider_type: str) -> bool:
    """Tell whether a provider of this type takes a secret."""
    return provider_type == ProviderType.MCP_REGISTRY


def reencrypt_provider_secrets() -> Reencryption:
    """Encrypt every secret with the first key of FEDHUB_SECRETS_KEY; a second run goes on."""
    rewritten, unchanged, unreadable = 0, 0, []
    for row in Federation.objects.exclude(provider_secret="").order_by("pk"):
        if PROVIDER_SECRETS.is_of_first_key(row.provider_secret):
            unchanged += 1
            continue
        try:
            again = encrypted(readable(row.provider_secret))
        except InternalError:
            unreadable.append(f"the token of the federation {row.display_name}")
            continue
        rewritten += Federation.objects.filter(pk=row.pk, provider_secret=row.provider_secret).update(
            provider_secret=again
        )
    return Reencryption(rewritten, unchanged, tuple(unreadable))
