"""The last change of a resource, from the two newest of its stored versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from federations.models import DiscoveredResource, ResourceVersion
from federations.services.stored_plans.contents import version_content
from federations.sync.compatibility.classes import ChangeClass
from federations.sync.diff import diff_contents


@dataclass(frozen=True, slots=True)
class LastChange:
    """A change of the content: the worst class of its parts, the time of the write, and the runtime's two versions."""

    change_class: ChangeClass
    stored_at: datetime
    from_version: str
    to_version: str


def last_change(resource: DiscoveredResource) -> LastChange | None:
    """Return the last change of `resource`, or None if the content is as it was first stored; one query."""
    newest = list(ResourceVersion.objects.filter(resource_id=resource.pk)[:2])
    if len(newest) < 2:
        return None
    new, old = newest
    found = diff_contents(resource.kind, version_content(old), version_content(new))
    return LastChange(found.change_class, new.stored_at, old.runtime_version, new.runtime_version)
