"""The tables of signing in. They are in the database of the accounts, also where MongoDB holds the registry."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import models


class SignInIdentity(models.Model):
    """An account at a provider, by which its person signs in as `user`.

    `issuer` and `subject` are the claims `iss` and `sub` of the ID token, which together never belong to another
    person (OpenID Connect Core, section 5.7). `made_account` is true if the first sign-in made the user.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500, help_text="The provider's address, exactly as in its ID tokens.")
    subject = models.CharField(max_length=255, help_text="The provider's id of the person: the claim sub.")
    made_account = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField("linked", auto_now_add=True)
    used_at = models.DateTimeField("last sign-in", null=True, editable=False)

    class Meta:
        verbose_name = "provider account"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="people_identity_unique")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"

    def get_additional_data(self) -> dict[str, list[object]]:
        """Say to the audit log that a provider's account is a part of its user."""
        return {"owner": ["auth.user", self.user_id]}


class FactorKind(models.TextChoices):
    APP = "app", "Authenticator app"
    PASSKEY = "passkey", "Passkey"


class SecondFactor(models.Model):
    """An authenticator app or a passkey of a user.

    `secret` is the encrypted key of an app (RFC 6238), and `last_step` the time step of its last accepted code. For a
    passkey, `credential_id` and `public_data` hold its id and its public key in base64url, `sign_count` its counter.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="second_factors")
    kind = models.CharField(max_length=10, choices=FactorKind.choices)
    name = models.CharField(max_length=100)
    secret = models.TextField(default="", blank=True, editable=False)
    last_step = models.BigIntegerField(default=0, editable=False)
    credential_id = models.CharField(max_length=1400, null=True, unique=True, editable=False)
    public_data = models.TextField(default="", blank=True, editable=False)
    sign_count = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} “{self.name}”"

    def get_additional_data(self) -> dict[str, list[object]]:
        """Say to the audit log that a second factor is a part of its user."""
        return {"owner": ["auth.user", self.user_id]}


class RecoveryCode(models.Model):
    """A code that stands in once for a lost second factor; the row holds an HMAC of the code."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="people_code_unique")]

    def __str__(self) -> str:
        return f"recovery code of {self.user}"


class UserSession(models.Model):
    """A browser in which a user is signed in: what a person needs to recognize it, and the key of Django's session."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    way = models.CharField("signed in by", max_length=100)
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField("browser", max_length=300, blank=True)
    started_at = models.DateTimeField("since", auto_now_add=True)
    seen_at = models.DateTimeField("last seen")

    class Meta:
        verbose_name = "session"
        indexes = [models.Index(fields=["user", "-seen_at"], name="people_session_of_user")]

    def __str__(self) -> str:
        return f"session of {self.user}"
