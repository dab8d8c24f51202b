"""What superusers see and do about the signing in of others: sessions, accounts at providers, second factors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from core.admin.ask_first import ask_first, is_confirmed
from core.admin.cells import time_since
from core.admin.list_tabs import Tab
from core.admin.read_only import ReadOnlyAdmin
from core.people.models import SignInIdentity, UserSession
from core.people.sessions import end_sessions, remove_second_factors
from fedhub.admin.rights import is_superuser
from peers.admin.labels import plural

SESSION_TABS = (
    Tab("today", "Seen today", lambda: Q(seen_at__gte=timezone.now() - timedelta(days=1))),
    Tab("old", "Not seen for a week", lambda: Q(seen_at__lt=timezone.now() - timedelta(days=7))),
)
SESSION_EXPORT = (
    ("User", "user.username"),
    ("Signed in by", "way"),
    ("Address", "address"),
    ("Browser", "agent"),
    ("Since", "started_at"),
    ("Last seen", "seen_at"),
)


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin, ModelAdmin):
    """The list of the browsers in which people are signed in, and the action that ends sessions. For superusers."""

    list_display = ["user", "way", "address", "begun", "last_seen"]
    list_select_related = ["user"]
    list_filter = [("user", RelatedDropdownFilter)]
    search_fields = ["user__username", "address"]
    fields = ["user", "way", "address", "agent", "started_at", "seen_at"]
    tabs, export_fields = SESSION_TABS, SESSION_EXPORT
    date_field, date_title = "seen_at", "Last seen"
    actions = ["end_selected"]
    empty_hint = "A session is listed here as soon as a person signs in by a browser."

    def get_queryset(self, request: HttpRequest) -> QuerySet[UserSession]:
        alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
        return UserSession.objects.filter(session_key__in=alive).order_by("-seen_at", "-pk")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    @admin.action(description="End selected sessions", permissions=["view"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[UserSession]) -> HttpResponse | None:
        if not is_confirmed(request):
            return ask_first(
                self,
                request,
                queryset.select_related("user"),
                title="End sessions",
                follows="These browsers are signed out at once. What was typed there and not saved is lost.",
                name_of=lambda session: f"{session.user}, from {session.address or 'an unknown address'}",
            )
        messages.success(request, f"{plural(end_sessions(queryset), 'session')} ended.")
        return None

    @display(description="Since", ordering="started_at")
    def begun(self, session: UserSession) -> str:
        return time_since(session.started_at)

    @display(description="Last seen", ordering="seen_at")
    def last_seen(self, session: UserSession) -> str:
        return time_since(session.seen_at)


class IdentityInline(TabularInline):
    """The accounts at providers by which a user signs in. They give the rights of the user: superusers change them."""

    model = SignInIdentity
    fields = ["issuer", "subject", "used_at"]
    readonly_fields = ["used_at"]
    extra = 0
    verbose_name_plural = "Accounts at sign-in providers"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    has_add_permission = has_change_permission = has_delete_permission = has_view_permission


@admin.action(description="Remove second factors of selected users", permissions=["change"])
def remove_factors(page: Any, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
    """Remove the second factors of people who have lost them, and end their sessions."""
    if not is_superuser(request):
        messages.error(request, "Only superusers remove second factors of other people.")
        return None
    if not is_confirmed(request):
        return ask_first(
            page,
            request,
            queryset,
            title="Remove second factors",
            follows="Their passkeys, apps and recovery codes no longer work, and their sessions end. Whoever needs a "
            "second factor sets up a new one at the next sign-in.",
        )
    count = sum(remove_second_factors(user) for user in queryset)
    messages.success(request, f"{plural(count, 'second factor')} removed, and the sessions of these users ended.")
    return None
