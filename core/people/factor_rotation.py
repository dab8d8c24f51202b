"""Encrypts the stored keys of authenticator apps again with the first key of FEDHUB_SECRETS_KEY."""

from __future__ import annotations

from core.errors import InternalError
from core.people.ciphers import decrypt, encrypt, is_of_first_key
from core.people.models import SecondFactor
from core.reencryption import Reencryption


def reencrypt_factors() -> Reencryption:
    """Encrypt the key of every app with the first key, each in a statement of its own; a second run goes on."""
    rewritten, unchanged, unreadable = 0, 0, []
    for factor in SecondFactor.objects.exclude(secret="").select_related("user").order_by("pk"):
        if is_of_first_key(factor.secret):
            unchanged += 1
            continue
        try:
            encrypted = encrypt(decrypt(factor.secret))
        except InternalError:
            unreadable.append(f"the app of {factor.user.get_username()}")
            continue
        rewritten += SecondFactor.objects.filter(pk=factor.pk, secret=factor.secret).update(secret=encrypted)
    return Reencryption(rewritten, unchanged, tuple(unreadable))
