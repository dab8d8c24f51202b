"""The MCP servers that are no longer there, for the registries that read this hub."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from core.ids import new_object_id


class DeletedServer(models.Model):
    """An MCP server that the registry's API names as deleted for 30 days, so that readers of changes see its end.

    The other columns are those of the server as it was. `was_public` tells whether callers without a token saw the
    server. `is_only_hidden` tells that the server is there, and that only these callers no longer see it.
    """

    id = models.CharField(primary_key=True, max_length=24, default=new_object_id, editable=False)
    federation_id = models.CharField(max_length=24, blank=True)
    server_name = models.CharField(max_length=200)
    path = models.CharField(max_length=255, unique=True)
    title = models.TextField(blank=True)
    description = models.TextField(blank=True)
    runtime_version = models.CharField(max_length=32)
    was_public = models.BooleanField(default=False)
    is_only_hidden = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.server_name
