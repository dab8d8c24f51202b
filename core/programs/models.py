"""The table of the last uses of access tokens."""

from __future__ import annotations

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
