"""The members of the protocol's answers that lead to a page of the API or, for staff, of the admin."""

from __future__ import annotations

from core.api.browsable.links import Link, Rules

LINKS: Rules = {
    ("Intent", "id"): (Link("/api/v1/intents/{id}"),),
    ("DispatchResult", "dispatch_id"): (
        Link("/admin/peers/dispatch/{dispatch_id}/change/", permission="peers.view_dispatch"),
    ),
}
