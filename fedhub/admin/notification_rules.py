"""The admin pages of notification rules: everybody's for administrators, and the own ones for all staff."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from core.admin.cells import once_a_row, time_since
from core.admin.labels import count_text
from core.admin.list_export import ExportField
from core.admin.list_page import ListPageMixin
from core.admin.list_tabs import Tab
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from core.admin.saving import UnitOfWorkMixin
from core.admin.shown_once import answer_once, is_to_show, show_once
from core.notifications.digests import receivers
from core.notifications.events import find_kind
from core.notifications.mail import NOT_SET_UP
from core.notifications.models import Delivery, DeliveryState, Rule, Target
from core.notifications.rules import make_secret, pause_rule, resume_rule, send_test
from fedhub.admin.notification_forms import MANAGE, RuleForm
from peers.admin.dialogs import ConfirmForm, dialog

COLORS = {"Active": "success", "Paused": "warning", "Needs a secret": "danger", "Cannot arrive": "danger"}
NEEDS_SECRET = Q(target=Target.WEBHOOK, secret="", paused_at__isnull=True)


def cannot_arrive() -> Q:
    """Return the condition of rules whose mails cannot arrive; groups are not asked for their members' addresses."""
    mails = ~Q(target=Target.WEBHOOK) & Q(paused_at__isnull=True)
    return mails & Q(target=Target.PERSON, user__email="") if settings.EMAIL_HOST else mails


RULE_TABS = (
    Tab("active", "Active", lambda: Q(paused_at__isnull=True) & ~NEEDS_SECRET & ~cannot_arrive()),
    Tab("unreachable", "Cannot arrive", cannot_arrive),
    Tab("secret", "Needs a secret", NEEDS_SECRET),
    Tab("paused", "Paused", Q(paused_at__isnull=False)),
)
RULE_EXPORT: tuple[ExportField, ...] = (
    ("Name", "name"),
    ("To", "receiver"),
    ("Events", "kinds"),
    ("Minutes between digests", "digest_minutes"),
    ("Last digest", "last_digest_at"),
    ("Paused", "paused_at"),
    ("Made by", "created_by_name"),
)
TEST_HELP = (
    "The hub sends a message now and shows the answer. A webhook gets a message of the type fedhub.test; the rule of a "
    "person mails that person, the rule of a group mails you."
)


def manages(request: HttpRequest) -> bool:
    """Tell whether the user of the request may see and change the rules of everybody."""
    return bool(request.user.has_perm(MANAGE))


def may_see(request: HttpRequest, model: type[Rule | Delivery], row: Any = None) -> bool:
    """Tell whether the user may see a rule or a delivery: all staff see their own, and the list without a row.

    `row` is a row, or its id where unfold passes the id.
    """
    if row is None or manages(request):
        return bool(request.user.is_active and request.user.is_staff)
    if isinstance(row, str):
        return model._default_manager.filter(pk=row, user=request.user.pk).exists()
    return bool(row.user_id == request.user.pk)


@admin.register(Rule)
class RuleAdmin(UnitOfWorkMixin, RowPagesMixin, ListPageMixin):
    """The admin pages of rules. A rule that is not a person's own is hidden from a person without the permission."""

    form = RuleForm
    list_display = ["name", "receiver", "events", "about", "state_label", "last_digest"]
    list_select_related = ["user", "group"]
    list_filter = [("target", ChoicesDropdownFilter)]
    list_filter_submit = True
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["name", "user__username", "group__name", "url"]
    search_help_text = "Name, person, group or URL"
    tabs, export_fields = RULE_TABS, RULE_EXPORT
    date_field, date_title = "last_digest_at", "Last digest"
    actions = None
    actions_detail = ["send_test", "secret", "pause", "resume"]
    empty_hint = (
        "The hub tells nothing yet. Add a rule: you get a mail when a sync fails, a plan is held or work waits for you."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        rows: QuerySet[Rule] = super().get_queryset(request)
        return rows if manages(request) else rows.filter(user=request.user.pk)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_see(request, Rule, obj)

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        # A filter by the beginning of a secret would tell the secret, letter by letter.
        is_secret = lookup.startswith(("secret", "previous_secret"))
        return not is_secret and bool(super().lookup_allowed(lookup, value, request))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **(kwargs | {"fields": None}))
        return type(form.__name__, (form,), {"viewer": request.user})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        receiver = ["to", "url"] if manages(request) else []
        found: list[Any] = [
            (None, {"fields": ["name", *receiver]}),
            ("What is told", {"fields": ["kinds", "federations", "peers", "digest_minutes"]}),
        ]
        if obj is not None:
            found.append(("State", {"fields": ["state_label", "reach", "last_digest", "made_by"]}))
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["state_label", "reach", "last_digest", "made_by"] if obj else []

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        if not change:
            obj.created_by_name = request.user.get_username()[:200]
        super().save_model(request, obj, form, change)
        if not obj.paused_at and (refusal := self._refusal_of_mails(obj)):
            messages.warning(request, f"Nothing of this rule arrives yet: {refusal}.")

    def response_add(self, request: HttpRequest, obj: Rule, *args: Any, **kwargs: Any) -> HttpResponse:
        if obj.target == Target.WEBHOOK:
            messages.success(request, "The rule is stored. Make the secret that signs its messages.")
            return self.redirect_to(request, reverse("admin:notifications_rule_secret", args=[obj.pk]))
        return super().response_add(request, obj, *args, **kwargs)  # type: ignore[no-any-return]

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        rule = self.get_queryset(request).filter(pk=object_id).first()
        if rule is None:
            return set()
        return {"send_test", "resume" if rule.paused_at else "pause", *(["secret"] if rule.url else [])}

    @action(
        description="Send a test",
        icon="send",
        variant=ActionVariant.PRIMARY,
        permissions=["change"],
        url_path="test",
        dialog=dialog("Send a test", TEST_HELP, ConfirmForm),
    )
    def send_test(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        person = User.objects.get(pk=request.user.pk or 0)
        delivery = send_test(self.row_or_404(request, object_id), to=person)
        if delivery.state == DeliveryState.SENT:
            messages.success(request, "The test arrived. This page shows the answer.")
        else:
            messages.error(request, f"The test did not arrive: {delivery.last_error or 'no answer'}")
        return self.redirect_to(request, reverse("admin:notifications_delivery_change", args=[delivery.pk]))

    @action(
        description="Pause",
        icon="pause",
        permissions=["change"],
        url_path="pause",
        dialog=dialog(
            "Pause", "What happens from now on is not told, and what waits for a digest is dropped.", ConfirmForm
        ),
    )
    def pause(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        pause_rule(self.row_or_404(request, object_id))
        messages.success(request, "The rule is paused.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Resume",
        icon="play_arrow",
        permissions=["change"],
        url_path="resume",
        dialog=dialog("Resume", "What happens from now on is told. What happened in the pause is not.", ConfirmForm),
    )
    def resume(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        resume_rule(self.row_or_404(request, object_id))
        messages.success(request, "The rule tells again.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(description="Make a secret…", icon="key", permissions=["change"], url_path="secret")
    def secret(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rule = self.row_or_404(request, object_id)
        context: dict[str, Any] = {"rule": rule, "back_url": self.row_url(object_id)}

        def page(values: dict[str, str]) -> HttpResponse:
            return self.extra_page(request, "notifications/secret.html", f"The secret of {rule}", {**context, **values})

        if is_to_show(request):
            return answer_once(request, self.row_url(object_id), page)
        if request.method == "POST":
            with show_refusals(request):
                return show_once(request, {"secret": make_secret(rule)})
        return page({})

    @display(description="To")
    def receiver(self, rule: Rule) -> str:
        return rule.receiver

    @display(description="Events")
    def events(self, rule: Rule) -> str:
        titles = [kind.title for key in rule.kinds if (kind := find_kind(key))]
        return ", ".join(titles[:2]) + (f" and {len(titles) - 2} more" if len(titles) > 2 else "")

    @display(description="Of")
    def about(self, rule: Rule) -> str:
        parts = [
            count_text(len(ids), noun) for ids, noun in ((rule.federations, "federation"), (rule.peers, "peer")) if ids
        ]
        return ", ".join(parts) or "everything"

    @display(description="State", label=COLORS)
    def state_label(self, rule: Rule) -> str:
        if rule.paused_at:
            return "Paused"
        if rule.target == Target.WEBHOOK:
            return "Active" if rule.secret else "Needs a secret"
        has_address = rule.user is None or bool(rule.user.email)
        return "Active" if settings.EMAIL_HOST and has_address else "Cannot arrive"

    def _refusal_of_mails(self, rule: Rule) -> str:
        """Return why no mail of the rule can arrive; an empty text if one can, or if the rule tells a webhook."""
        if rule.target == Target.WEBHOOK:
            return ""
        if not settings.EMAIL_HOST:
            return NOT_SET_UP[0].lower() + NOT_SET_UP[1:]
        if any(user.email for user in receivers(rule)):
            return ""
        return f"{rule.user} has no e-mail address" if rule.user else f"nobody in {rule.group} has an e-mail address"

    @display(description="Last digest", ordering="last_digest_at")
    def last_digest(self, rule: Rule) -> str:
        return time_since(rule.last_digest_at)

    @display(description="Made by")
    def made_by(self, rule: Rule) -> str:
        return rule.created_by_name or "-"

    @display(description="Arrives at")
    @once_a_row
    def reach(self, rule: Rule) -> str:
        """Tell where messages arrive, and what keeps them from it: a pause by the hub, people without an address."""
        if rule.paused_why:
            return f"Paused by the hub: {rule.paused_why}"
        if rule.target == Target.WEBHOOK:
            return rule.url
        if not settings.EMAIL_HOST:
            return NOT_SET_UP
        people = receivers(rule)
        without = [user.get_username() for user in people if not user.email]
        missing = f"; without one: {', '.join(without[:10])}" if without else ""
        return f"{len(people) - len(without)} of {len(people)} with an e-mail address{missing}"
