"""The admin pages of programs, the OAuth applications: a short form, a secret that is shown once, and another one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from oauth2_provider.models import AbstractApplication, get_application_model
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from core.admin.cells import copyable, time_since
from core.admin.list_page import ListPageMixin
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from core.admin.shown_once import answer_once, is_to_show, show_once
from core.tokens.programs import end_tokens, kind_of, limit_scopes, rotate_secret, scopes_of_program
from core.tokens.words import scope_choices
from fedhub.admin.list_pages import APPLICATION_EXPORT, APPLICATION_TABS
from fedhub.admin.program_form import ProgramForm
from fedhub.admin.rights import is_superuser

Application = get_application_model()
admin.site.unregister(Application)
# The pages call the toolkit's applications programs, as the menu does; migrations do not see these names.
Application._meta.verbose_name, Application._meta.verbose_name_plural = "program", "programs"


@admin.register(Application)
class ApplicationAdmin(RowPagesMixin, ListPageMixin):
    """The admin pages of programs that may request tokens.

    A program acts for its owner, the person who registers the program. So only superusers may choose another owner or
    change the program of another person. A page shows a secret once: the page that follows the form that made it.
    """

    form = ProgramForm
    list_display = ["name", "kind_words", "user", "client", "made"]
    list_select_related = ["user"]
    list_filter = [("authorization_grant_type", ChoicesDropdownFilter)]
    list_filter_submit = True
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["name", "client_id", "user__username"]
    search_help_text = "Name, client id or owner"
    autocomplete_fields = ["user"]
    tabs, export_fields = APPLICATION_TABS, APPLICATION_EXPORT
    date_field, date_title = "created", "Created"
    actions_detail = ["rotate"]
    empty_hint = (
        "Add a program, and it can request tokens: for itself by its secret, or for the people who sign in with it. A "
        "token for your own scripts is on My tokens."
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        owner = ["user"] if is_superuser(request) else []
        if obj is None:
            return ["name", "kind", "redirect_uris", "scopes", *owner]
        if not self.has_change_permission(request, obj):
            return ["name", "kind_words", "client", "redirect_uris", "may_request", "owner", "made"]
        return ["name", "kind_words", "client", "redirect_uris", "scopes", *(owner or ["owner"]), "made"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["kind_words", "client", "may_request", "owner", "made"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"viewer": request.user})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        # The page that follows the form shows the secret, so no other page may follow.
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"user": request.user.pk, **super().get_changeform_initial_data(request)}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_open(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_open(request, obj)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        # A filter by the beginning of a secret would tell the secret, letter by letter.
        return not lookup.startswith("client_secret") and bool(super().lookup_allowed(lookup, value, request))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change and (obj.user_id is None or not is_superuser(request)):
            obj.user_id = request.user.pk
        # The row keeps a hash of the secret; `response_add` shows the secret itself once.
        secret = "" if change else obj.client_secret
        super().save_model(request, obj, form, change)
        obj.new_secret = secret
        limit_scopes(obj, form.cleaned_data["scopes"])
        if change and "user" in form.changed_data:
            # The program's tokens would act for the new owner, in the hands of a person whom the old owner chose.
            end_tokens(obj)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return show_once(request, {"program": str(obj.pk), "secret": obj.new_secret})

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_to_show(request) and self.has_add_permission(request):
            return self._credentials(request, self._list_url())
        return super().add_view(request, *args, **kwargs)  # type: ignore[no-any-return]

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        program = self.get_object(request, object_id)
        return {"rotate"} if program and program.client_type == Application.CLIENT_CONFIDENTIAL else set()

    @action(description="New secret…", icon="key", permissions=["change"], url_path="rotate")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        program = self.row_or_404(request, object_id)
        if is_to_show(request):
            return self._credentials(request, self.row_url(object_id))
        if request.method == "POST":
            with show_refusals(request):
                return show_once(request, {"program": str(program.pk), "secret": rotate_secret(program)})
        context = {"program": program, "back_url": self.row_url(object_id)}
        return self.extra_page(request, "fedhub/rotate_secret.html", f"A new secret of {program}?", context)

    @display(description="Kind")
    def kind_words(self, program: AbstractApplication) -> str:
        kind = kind_of(program)
        return kind.words if kind else "Of another hub's version: it gets no token."

    @display(description="Client id", ordering="client_id")
    def client(self, program: AbstractApplication) -> str:
        return copyable(program.client_id)

    @display(description="It may request")
    def may_request(self, program: AbstractApplication) -> str:
        return "; ".join(words for _, words in scope_choices(scopes_of_program(program)))

    @display(description="Owner")
    def owner(self, program: AbstractApplication) -> str:
        return str(program.user or "-")

    @display(description="Made", ordering="created")
    def made(self, program: AbstractApplication) -> str:
        return time_since(program.created)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("user")

    def _list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _credentials(self, request: HttpRequest, back_url: str) -> HttpResponse:
        """Show what the program that the session names needs to request tokens; the secret only now."""
        return answer_once(request, back_url, lambda values: self._credentials_page(request, values))

    def _credentials_page(self, request: HttpRequest, values: dict[str, str]) -> HttpResponse:
        program, secret = get_object_or_404(Application, pk=values["program"]), values["secret"]
        kind = kind_of(program)
        context = {
            "program": program,
            "secret": secret if kind is not None and kind.client_type == Application.CLIENT_CONFIDENTIAL else "",
            "acts_alone": kind is not None and kind.grant == Application.GRANT_CLIENT_CREDENTIALS,
            "token_url": request.build_absolute_uri(reverse("oauth2_provider:token")),
            "authorize_url": request.build_absolute_uri(reverse("oauth2_provider:authorize")),
            "back_url": self.row_url(program.pk),
        }
        return self.extra_page(request, "fedhub/credentials.html", f"The credentials of {program}", context)

    def _is_open(self, request: HttpRequest, obj: Any) -> bool:
        if obj is None or is_superuser(request):
            return True
        # The stored owner: the form may already have put the posted one into `obj`. unfold passes the id alone.
        key = getattr(obj, "pk", obj)
        return bool(self.model._default_manager.filter(pk=key, user_id=request.user.pk).exists())
