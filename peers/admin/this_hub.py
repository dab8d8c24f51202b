"""The page *This hub*: what the people of another hub ask for on the phone before they approve this one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path

from core.admin.row_pages import RowPagesMixin
from peers.admin.fingerprints import shown_fingerprint
from peers.protocol import InvalidKey, did_document_urls
from peers.protocol.discovery import DEFAULT_ENDPOINTS
from peers.services.trust.identity import KEY_OVERLAP, hub_identity, hub_url, is_enabled
from peers.services.trust.peer_documents import MANIFEST_PATH
from peers.services.trust.rotation import OwnKeys, fingerprint_of, own_keys

POLICY_WORDS = {
    "allowlist": "Only hubs that staff approved may send work.",
    "open": "Unknown hubs may send work too, for public agents alone.",
    "trustless": "No hub may send work, approved ones neither.",
}
"""The setting FEDHUB_TRUST_POLICY in words."""


class ThisHubMixin(RowPagesMixin):
    """Adds the page *This hub* to the pages of peers."""

    def get_urls(self) -> list[Any]:
        page = path("this-hub/", self.admin_site.admin_view(self.this_hub), name="peers_peer_this_hub")
        return [page, *super().get_urls()]

    def this_hub(self, request: HttpRequest) -> HttpResponse:
        """Show this hub's address, DID, keys and documents."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            context = _identity(own_keys())
        except (InvalidKey, OSError) as exc:
            context = {"problem": str(exc)}
        return self.extra_page(request, "peers/this_hub.html", "This hub", context | {"is_enabled": is_enabled()})


def _identity(keys: OwnKeys) -> dict[str, Any]:
    identity, url = hub_identity(), hub_url()
    days = KEY_OVERLAP.days
    shown = [
        ("The key that signs", "Read this one aloud. Peers compare it before they approve this hub.", keys.signing),
        (
            "The announced key",
            "It signs after the switch. Peers approve it as a changed key before that.",
            keys.announced,
        ),
        (
            "The former key",
            f"It stays published for {days} days after the switch, for messages under way.",
            keys.former,
        ),
    ]
    return {
        "hub_url": url,
        "did": identity.did,
        "keys": [
            {"title": title, "note": note, "shown": shown_fingerprint(fingerprint_of(key))}
            for title, note, key in shown
            if key
        ],
        "documents": [
            ("Manifest", url + MANIFEST_PATH),
            ("DID document", did_document_urls(identity.did, scheme=url.partition(":")[0])[0]),
            ("Public agents", url + DEFAULT_ENDPOINTS["agents"]),
        ],
        "policy": POLICY_WORDS[settings.FEDHUB_TRUST_POLICY],
    }
