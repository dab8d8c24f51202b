"""What the hub keeps beside the toolkit's rows: the last use and the note of a token, and the scopes of a program."""

from __future__ import annotations

from typing import Any, Self

from django.contrib.auth.models import AbstractBaseUser, User
from django.db import models


class TokenUse(models.Model):
    """When and from where a request last used an access token; a token without a row was never used.

    `used_at` may be up to a minute older than the last use, because `record_use` writes at most once a minute. The
    table is apart from the toolkit's table of tokens, so that the two migrate separately.
    """

    token = models.OneToOneField(
        "oauth2_provider.AccessToken", on_delete=models.CASCADE, primary_key=True, related_name="last_use"
    )
    used_at = models.DateTimeField()
    address = models.CharField(max_length=64, blank=True)

    class Meta:
        # The pages of tokens show the rows; no page of their own exists.
        default_permissions = ()

    def __str__(self) -> str:
        return f"Last use of token {self.pk}"


class TokenNote(models.Model):
    """What a person said of a token when the person made it; a token without a row was made by a command or a program.

    `federation_id` is the only federation that the token reaches. It is empty if the token reaches every federation
    that its person reaches.
    """

    token = models.OneToOneField(
        "oauth2_provider.AccessToken", on_delete=models.CASCADE, primary_key=True, related_name="note"
    )
    name = models.CharField(max_length=100)
    federation_id = models.CharField(max_length=24, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class ProgramScopes(models.Model):
    """The scopes that a program may request, separated by spaces; a program without a row may request every scope."""

    application = models.OneToOneField(
        "oauth2_provider.Application", on_delete=models.CASCADE, primary_key=True, related_name="limit"
    )
    scopes = models.TextField(blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.scopes


class OneFederationUser(User):
    """A user as a token for one federation acts: with the user's rights on that federation, and no other right.

    `has_perm` answers for the whole registry, so it has no permission of a role but those that only name a kind of work
    on rows that the user may view. `federations.services.access` asks `has_full_perm` about the one federation.
    """

    WORK_ON_VISIBLE_ROWS = frozenset({"federations.run_a2aagent", "federations.approve_agentrun"})

    only_federation: str

    class Meta:
        proxy = True
        default_permissions = ()

    @classmethod
    def of(cls, user: AbstractBaseUser, federation_id: str) -> Self:
        """Return `user`, limited to one federation, without a query."""
        names = [field.attname for field in user._meta.concrete_fields]
        limited = cls.from_db(user._state.db, names, [getattr(user, name) for name in names])
        limited.only_federation = federation_id
        return limited

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Tell whether the user has a permission that this token leaves."""
        return perm in self.WORK_ON_VISIBLE_ROWS and self.has_full_perm(perm)

    def has_full_perm(self, perm: str) -> bool:
        """Tell whether the user's roles give a permission, whatever the token leaves of it."""
        return super().has_perm(perm)
