"""The tables of saved views and of hidden columns; a row belongs to one person and to one list of the admin."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from core.lists.queries import MAX_QUERY_CHARS

MAX_NAME_CHARS = 60


class SavedView(models.Model):
    """A list's address under a name: its tab, filters, dates, search and order.

    `list_name` is the label of the list's model, such as `federations.syncjob`, and `query` the query of the address in
    the form of `core.lists.queries`.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    list_name = models.CharField(max_length=100)
    name = models.CharField(max_length=MAX_NAME_CHARS)
    query = models.CharField(max_length=MAX_QUERY_CHARS, blank=True)

    class Meta:
        ordering = ["name", "pk"]
        # Every person who may open a list keeps views of it.
        default_permissions = ()
        permissions = [("export_list", "Can export the lists that they may view, as CSV files")]
        constraints = [models.UniqueConstraint(fields=["owner", "list_name", "name"], name="saved_view_once")]

    def __str__(self) -> str:
        return self.name


class HiddenColumns(models.Model):
    """The columns of a list that a person does not want to see, as their names with a space between them.

    A column that a later version of the hub adds is in no row, so it is shown.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    list_name = models.CharField(max_length=100)
    names = models.TextField(blank=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["owner", "list_name"], name="hidden_columns_once")]

    def __str__(self) -> str:
        return self.list_name
