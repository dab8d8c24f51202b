"""The federations that fail, and the errors that make them fail."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Coalesce

from federations.models import FederationStatus, SyncStatus
from federations.services.access import AnyUser, federations_visible_to, runtimes_visible_to
from federations.services.inventory import HAS_ERROR
from federations.services.sync_targets import UNFEDERATED
from federations.sync.error_causes import UNKNOWN, FailureSeen

# A page groups at most so many errors; the oldest come first.
MAX_FEDERATIONS = 2000
MAX_RUNTIMES = 3000

_NOT_HELD = Q(last_sync__isnull=True) | Q(last_sync__held=False)
FAILING = Q(status=FederationStatus.ACTIVE) & (
    Q(failing_since__isnull=False) | (Q(sync_status=SyncStatus.FAILED) & _NOT_HELD)
)
"""The active federations whose last finished sync failed or had errors, also while another sync runs."""

FAILING_SINCE = Coalesce("failing_since", "updated_at")


def failures_visible_to(user: AnyUser) -> list[FailureSeen]:
    """Return the errors of the failing federations that `user` may view, in two queries.

    If a sync failed for single runtimes, each of their errors is one; otherwise the sync's own error is the only one.
    """
    failing = federations_visible_to(user).filter(FAILING).order_by("failing_since", "id")
    columns = failing.annotate(since=FAILING_SINCE).values_list("id", "sync_message", "since")
    by_federation = _runtime_errors(user)
    failures = []
    for federation_id, message, since in columns[:MAX_FEDERATIONS]:
        errors = by_federation[federation_id]
        # The message of a sync that failed for single runtimes ends with the error of one of them.
        if errors and any((message or "").endswith(text) for text, _ in errors):
            failures += [FailureSeen(federation_id, text, begun) for text, begun in errors]
        else:
            failures.append(FailureSeen(federation_id, message or UNKNOWN, since))
    return failures


def _runtime_errors(user: AnyUser) -> defaultdict[str, list[tuple[str, datetime]]]:
    """Return the texts of the runtimes' errors with the time of their first sync, by federation."""
    broken = runtimes_visible_to(user).filter(HAS_ERROR, error_since__isnull=False)
    federated = broken.exclude(scope__startswith=UNFEDERATED).order_by("error_since", "id")
    found: defaultdict[str, list[tuple[str, datetime]]] = defaultdict(list)
    for scope, text, since in federated.values_list("scope", "error", "error_since")[:MAX_RUNTIMES]:
        if since:
            found[scope].append((text, since))
    return found
