"""The answers to what a person keeps about a list: columns and views. Each answer leads back to the list."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect

from core.admin.refusals import show_refusals
from core.lists.choices import hide_columns, rename_view, save_view
from core.lists.models import SavedView
from core.lists.queries import InvalidQueryError, clean_query


def list_address(list_url: str, query: str) -> str:
    """Return the address of a list with a query; without one for a query that no list has."""
    try:
        cleaned = clean_query(query)
    except InvalidQueryError:
        cleaned = ""
    return f"{list_url}?{cleaned}" if cleaned else list_url


def keep_columns(request: HttpRequest, list_name: str, list_url: str, choosable: Collection[str]) -> HttpResponse:
    """Keep the columns of a form: the ticked ones are shown, and `reset` shows all."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    ticked = choosable if "reset" in request.POST else request.POST.getlist("column")
    hide_columns(request.user, list_name, hidden=set(choosable) - set(ticked), choosable=choosable)
    return HttpResponseRedirect(list_address(list_url, request.POST.get("query", "")))


def save_as_view(request: HttpRequest, list_name: str, list_url: str) -> HttpResponse:
    """Save the query of a form under its name."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    query = request.POST.get("query", "")
    with show_refusals(request):
        view = save_view(request.user, list_name, name=request.POST.get("name", ""), query=query)
        messages.success(request, f"The view {view.name} is saved. Only you see it.")
    return HttpResponseRedirect(list_address(list_url, query))


def open_or_change_view(request: HttpRequest, list_name: str, list_url: str, view_id: int) -> HttpResponse:
    """Open a view by GET; rename or delete it by POST. Raises Http404 for a view of another person or list.

    The list itself checks the filters of the view again, as it checks every address.
    """
    view = SavedView.objects.filter(pk=view_id, owner=request.user.pk, list_name=list_name).first()
    if view is None:
        raise Http404("View not found")
    if request.method == "GET":
        return HttpResponseRedirect(list_address(list_url, view.query))
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "POST"])
    with show_refusals(request):
        if "delete" in request.POST:
            view.delete()
            messages.success(request, f"The view {view.name} is deleted.")
        else:
            rename_view(view, request.POST.get("name", ""))
            messages.success(request, f"The view is renamed to {view.name}.")
    return HttpResponseRedirect(list_address(list_url, request.POST.get("query", "")))
