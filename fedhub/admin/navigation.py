"""The sidebar of the admin: frequent pages come first, and a link is shown only to users who may see its page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from federations.admin.permissions import sees_any_federation


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar (unfold's SIDEBAR navigation)."""
    return [
        {"items": [{"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}]},
        {"title": "Registry", "items": _registry_items()},
        {"title": "Between hubs", "separator": True, "items": _peer_items()},
        {"title": "Access", "separator": True, "items": _access_items()},
        {"title": "Notifications", "separator": True, "items": _notification_items()},
        {"title": "Technical", "separator": True, "collapsible": True, "items": _technical_items()},
    ]


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    """Return the links of the person's own menu."""
    links = [
        {"title": "Sign-in and security", "link": reverse("sign-in-security")},
        {"title": "My tokens", "link": reverse("own-tokens")},
    ]
    if request.user.is_staff:
        links.append({"title": "Notifications", "link": reverse("admin:notifications_rule_changelist")})
    if request.user.is_authenticated and request.user.has_usable_password() and settings.FEDHUB_PASSWORD_LOGIN:
        links.append({"title": "Change password", "link": reverse("admin:password_change")})
    return links


def stylesheet(request: HttpRequest) -> str:
    """Return the URL of the styles that unfold does not have."""
    return static("fedhub/admin.css")


def stylesheet_for_everyone(request: HttpRequest) -> str:
    """Return the URL of the styles for keyboards, contrast and phones."""
    return static("fedhub/everyone.css")


def federation_stylesheet(request: HttpRequest) -> str:
    """Return the URL of the styles of a federation's page and form."""
    return static("fedhub/federation.css")


def script(request: HttpRequest) -> str:
    """Return the URL of the script that refreshes pages and copies texts."""
    return static("fedhub/admin.js")


def search_stylesheet(request: HttpRequest) -> str:
    """Return the URL of the styles of the search and of the pages that list tools and skills."""
    return static("fedhub/search.css")


def search_script(request: HttpRequest) -> str:
    """Return the URL of the script of the search dialog."""
    return static("fedhub/search.js")


def lists_stylesheet(request: HttpRequest) -> str:
    """Return the URL of the styles of the lists."""
    return static("fedhub/lists.css")


def lists_script(request: HttpRequest) -> str:
    """Return the URL of the script of the lists, which also names the person's time zone to the hub."""
    return static("fedhub/lists.js")


def keyboard_script(request: HttpRequest) -> str:
    """Return the URL of the script that makes unfold's menus, folds and dialogs work by keyboard."""
    return static("fedhub/keyboard.js")


def favicon(request: HttpRequest) -> str:
    """Return the URL of the icon of the browser tab."""
    return static("fedhub/favicon.svg")


def _registry_items() -> list[dict[str, Any]]:
    return [
        _item("Federations", "hub", "federations_federation", sees_any_federation),
        _item("MCP servers", "dns", "federations_mcpserver", sees_any_federation),
        _item("A2A agents", "smart_toy", "federations_a2aagent", sees_any_federation),
        _item("Card keys", "key_vertical", "federations_cardkeypin"),
        _item("Runs", "play_circle", "federations_agentrun", sees_any_federation),
        _page("Tools", "build", "admin-tools", "federations.view_mcpserver"),
        _page("Skills", "psychology", "admin-skills", "federations.view_a2aagent"),
        _item("Runtimes", "deployed_code", "federations_runtimeobservation", sees_any_federation),
        _item("Plans", "fact_check", "federations_storedplan", sees_any_federation),
        _item("Sync jobs", "sync", "federations_syncjob", sees_any_federation),
        _page("Schedules", "calendar_clock", "admin-schedules", "federations.view_federation"),
    ]


def _peer_items() -> list[dict[str, Any]]:
    return [
        _item("Peers", "handshake", "peers_peer") | {"active": _is_peers_page},
        _for_permission("This hub", "fingerprint", "admin:peers_peer_this_hub", "peers.view_peer"),
        _item("Intents", "assignment", "peers_intent"),
        _item("Dispatches", "outbox", "peers_dispatch"),
        _item("Received dispatches", "inbox", "peers_receiveddispatch"),
        _item("Agents' visibility", "visibility", "peers_discoveredagent", _may_choose_visibility),
        _item("Registered agents", "how_to_reg", "peers_registeredagent"),
        _item("Receipts", "receipt_long", "peers_dispatchreceipt"),
        _item("Journal", "menu_book", "peers_journalentry"),
    ]


def _access_items() -> list[dict[str, Any]]:
    return [
        _item("Users", "person", "auth_user"),
        _for_permission("Roles", "badge", "admin-roles", "auth.view_group"),
        _item("Groups", "group", "auth_group"),
        _item("Sessions", "devices", "people_usersession"),
        _item("Programs", "apps", "oauth2_provider_application"),
        _item("Access tokens", "key", "oauth2_provider_accesstoken"),
        _item("Audit log", "history", "auditlog_logentry"),
    ]


def _notification_items() -> list[dict[str, Any]]:
    return [
        _item("Notification rules", "notifications", "notifications_rule", _is_staff),
        _item("Deliveries", "outgoing_mail", "notifications_delivery", _is_staff),
    ]


def _technical_items() -> list[dict[str, Any]]:
    return [
        _for_permission("Storage", "hard_drive", "admin-storage", "retention.view_kindcount"),
        _item("Tasks of the hub", "schedule", "django_celery_beat_periodictask"),
        _item("Dry runs under way", "preview", "federations_previewslot"),
        _item("Peer keys", "key", "peers_peerkey"),
        _item("Inbound callbacks", "call_received", "peers_inboundcallback"),
        _item("Outbound callbacks", "call_made", "peers_outboundcallback"),
        _item("Handler events", "bolt", "peers_handlerevent"),
        _item("Refresh tokens", "autorenew", "oauth2_provider_refreshtoken"),
    ]


def _is_staff(request: HttpRequest) -> bool:
    """Tell whether the user is staff: each has a right to rules for the own mails."""
    return bool(request.user.is_staff)


def _is_peers_page(request: HttpRequest) -> bool:
    """Tell whether a page is one of peers; the page *This hub* lies below their list and has an item of its own."""
    peers, this_hub = reverse("admin:peers_peer_changelist"), reverse("admin:peers_peer_this_hub")
    return request.path.startswith(peers) and request.path != this_hub


def _may_choose_visibility(request: HttpRequest) -> bool:
    return request.user.has_perm("peers.view_agentvisibilitychoice")


def _item(title: str, icon: str, model: str, permission: Callable[[HttpRequest], bool] | None = None) -> dict[str, Any]:
    app, _, name = model.rpartition("_")

    def has_permission(request: HttpRequest) -> bool:
        by_role = request.user.has_perm(f"{app}.view_{name}")
        return by_role or bool(permission and permission(request))

    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{model}_changelist"),
        "permission": has_permission,
    }


def _page(title: str, icon: str, url_name: str, permission: str) -> dict[str, Any]:
    def has_permission(request: HttpRequest) -> bool:
        return request.user.has_perm(permission) or sees_any_federation(request)

    return {"title": title, "icon": icon, "link": reverse(url_name), "permission": has_permission}


def _for_permission(title: str, icon: str, url_name: str, permission: str) -> dict[str, Any]:
    def has_permission(request: HttpRequest) -> bool:
        return bool(request.user.has_perm(permission))

    return {"title": title, "icon": icon, "link": reverse(url_name), "permission": has_permission}
