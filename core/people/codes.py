"""Codes of authenticator apps (TOTP, RFC 6238) and recovery codes. Each code is accepted once."""

from __future__ import annotations

import base64
import io
import re
import secrets
import time

import qrcode
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from qrcode.image.svg import SvgPathImage

from core.people import ciphers
from core.people.models import FactorKind, RecoveryCode, SecondFactor

STEP_SECONDS = 30
DIGITS = 6
KEY_BYTES = 20
"""RFC 4226, section 4: the key SHOULD have 160 bits."""

STEPS_AROUND = 1
"""RFC 6238, section 5.2: at most one step is allowed for a slow clock or a slow hand."""

RECOVERY_CODES = 10
# No letters and digits that look alike; 10 of 31 characters are 49 bits, and guesses are limited.
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
SPACES = re.compile(r"[\s-]+")


def new_key() -> str:
    """Return a new key of an authenticator app, in base32."""
    return base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def key_address(key: str, user: User) -> str:
    """Return the address (otpauth:) that an authenticator app reads."""
    issuer = settings.FEDHUB_SERVER_URL.partition("://")[2].partition(":")[0]
    return _totp(key).get_provisioning_uri(user.get_username(), f"fedhub {issuer}")


def qr_code(address: str) -> str:
    """Return the QR code of an address, as a data: address of an SVG image."""
    written = io.BytesIO()
    qrcode.make(address, image_factory=SvgPathImage, border=4).save(written)
    return "data:image/svg+xml;base64," + base64.b64encode(written.getvalue()).decode("ascii")


def step_of_code(key: str, code: str, now: float) -> int | None:
    """Return the time step whose code is `code`, among the present one and its neighbors; None for a wrong code."""
    plain = SPACES.sub("", code)
    if len(plain) != DIGITS or not (plain.isascii() and plain.isdigit()):
        return None
    present = int(now // STEP_SECONDS)
    for step in range(present - STEPS_AROUND, present + STEPS_AROUND + 1):
        try:
            _totp(key).verify(plain.encode(), step * STEP_SECONDS)
        except InvalidToken:
            continue
        return step
    return None


def add_app(user: User, key: str, *, name: str, code: str) -> bool:
    """Store an authenticator app if `code` shows that the app has the key; tell whether it is stored."""
    step = step_of_code(key, code, time.time())
    if step is None:
        return False
    SecondFactor.objects.create(
        user=user, kind=FactorKind.APP, name=name, secret=ciphers.encrypt(key), last_step=step, used_at=timezone.now()
    )
    return True


def accept_code(user: User, code: str) -> bool:
    """Tell whether `code` is a code of the user's apps or a recovery code, and use it up."""
    for factor in SecondFactor.objects.filter(user=user, kind=FactorKind.APP):
        step = step_of_code(ciphers.decrypt(factor.secret), code, time.time())
        # An earlier or the same step is a replay, also in another web process.
        if step is not None and SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step).update(
            last_step=step, used_at=timezone.now()
        ):
            return True
    used = RecoveryCode.objects.filter(user=user, digest=_digest(user, code), used_at__isnull=True)
    return bool(used.update(used_at=timezone.now()))


def make_recovery_codes(user: User) -> list[str]:
    """Replace the user's recovery codes; return the new ones, which cannot be read later."""
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    stored = RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digest(user, code)) for code in codes)
    RecoveryCode.objects.filter(Q(user=user) & ~Q(pk__in=[row.pk for row in stored])).delete()
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _digest(user: User, code: str) -> str:
    plain = f"{user.pk}\n{SPACES.sub('', code).lower()}"
    return salted_hmac("core.people.recovery", plain, algorithm="sha256").hexdigest()


def _totp(key: str) -> TOTP:
    # Most apps know SHA-1 alone; its weakness against collisions does not matter in an HMAC.
    return TOTP(base64.b32decode(key), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303
