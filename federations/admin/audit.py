"""The audit log of what staff change.

auditlog hears of rows that are created and deleted, but not of the services' updates: those are compare-and-set
statements, which send no signal. The difference is written down here, and auditlog's middleware adds the actor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from auditlog.diff import model_instance_diff
from auditlog.models import LogEntry
from auditlog.registry import auditlog

from federations.models import Federation, FederationGrant
from fedhub.storage import unit_of_work

SPOKEN_FIELDS = ["provider_type", "display_name", "description", "provider_config", "sync_interval_minutes", "status"]

auditlog.register(Federation, include_fields=SPOKEN_FIELDS)
auditlog.register(FederationGrant, include_fields=["federation", "holder_name", "level"])


@contextmanager
def audited(federation: Federation) -> Iterator[None]:
    """Write down what the block changes on a federation and its tags, in one transaction with the change."""
    with unit_of_work():
        old = Federation.objects.get(pk=federation.pk)
        old_tags = ", ".join(old.tags)
        yield
        new = Federation.objects.get(pk=federation.pk)
        changes = model_instance_diff(old, new, fields_to_check=SPOKEN_FIELDS) or {}
        if old_tags != ", ".join(new.tags):
            changes["tags"] = (old_tags, ", ".join(new.tags))
        if changes:
            LogEntry.objects.log_create(new, action=LogEntry.Action.UPDATE, changes=changes)
