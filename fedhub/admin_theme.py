"""The settings of django-unfold: the name, the files and the callbacks of the admin."""

from __future__ import annotations

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "fedhub",
    "SITE_HEADER": "fedhub",
    "SITE_SUBHEADER": "Federated AI agents",
    "SITE_SYMBOL": "hub",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "fedhub.admin.navigation.favicon"}],
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "fedhub.admin.dashboard.dashboard_callback",
    "ACCOUNT": {"navigation": "fedhub.admin.navigation.account_links"},
    "SIDEBAR": {"navigation": "fedhub.admin.navigation.sidebar"},
    "STYLES": [
        "fedhub.admin.navigation.stylesheet",
        "fedhub.admin.navigation.search_stylesheet",
        "fedhub.admin.navigation.federation_stylesheet",
        "fedhub.admin.navigation.lists_stylesheet",
        "fedhub.admin.navigation.stylesheet_for_everyone",
    ],
    "SCRIPTS": [
        "fedhub.admin.navigation.script",
        "fedhub.admin.navigation.search_script",
        "fedhub.admin.navigation.keyboard_script",
        "fedhub.admin.navigation.lists_script",
    ],
}
