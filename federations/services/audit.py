"""The audit log of changes to federations, from the admin, the API and the commands.

django-auditlog records rows that are created and deleted. The services update by compare-and-set statements, which
send no signal, so this module compares the federation before and after an update and records the difference, in the
transaction of the update.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from auditlog import get_logentry_model
from auditlog.diff import model_instance_diff

from core.activity.recording import record
from core.activity.sources import record_model
from core.actors import Actor
from core.errors import NotFoundError
from core.store.unit_of_work import unit_of_work
from federations.models import Federation, FederationGrant

AUDITED_FIELDS = [
    "provider_type", "display_name", "description", "provider_config", "sync_interval_seconds", "sync_crontab",
    "sync_time_zone", "is_sync_paused", "change_policy", "status",
]  # fmt: skip

record_model(Federation, AUDITED_FIELDS)
record_model(FederationGrant, ["holder_name", "level"], part="access")

_is_recording: ContextVar[bool] = ContextVar("_is_recording", default=False)


def config_changed_at(federation: Federation) -> datetime | None:
    """Return when the configuration was last changed, if the stored resources are still those of an older one.

    They are those of the last complete listing of the account. One query, and none before the first listing.
    """
    if federation.last_listed_at is None:
        return None
    entries = get_logentry_model().objects.get_for_object(federation)
    later = entries.filter(timestamp__gt=federation.last_listed_at, changes__has_key="provider_config")
    newest: datetime | None = later.order_by("-timestamp").values_list("timestamp", flat=True).first()
    return newest


@contextmanager
def audited(federation: Federation, *, by: Actor) -> Iterator[None]:
    """Record the changes that the block makes to a federation and its tags. Nested blocks record nothing.

    Raises NotFoundError if the federation is no longer stored.
    """
    if _is_recording.get():
        yield
        return
    recording = _is_recording.set(True)
    try:
        with unit_of_work(with_accounts=True):
            old = Federation.objects.filter(pk=federation.pk).first()
            if old is None:
                raise NotFoundError("Federation not found")
            old_tags = ", ".join(old.tags)
            yield
            _write_difference(old, old_tags, by)
    finally:
        _is_recording.reset(recording)


def _write_difference(old: Federation, old_tags: str, by: Actor) -> None:
    new = Federation.objects.get(pk=old.pk)
    changes = model_instance_diff(old, new, fields_to_check=AUDITED_FIELDS) or {}
    if old_tags != ", ".join(new.tags):
        changes["tags"] = (old_tags, ", ".join(new.tags))
    if changes:
        record(new, changes, by=by)
