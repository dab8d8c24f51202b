"""The tables of the roles that the hub has made, and of the permissions that it has given to them."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db import models


class Role(models.Model):
    """A role that the hub has made. `group` is null once staff have deleted the role's group."""

    key = models.CharField(max_length=40, unique=True)
    group = models.OneToOneField(Group, null=True, on_delete=models.SET_NULL, related_name="role")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.key


class GivenPermission(models.Model):
    """A permission that the hub has given to a role; staff may have taken the permission from the group since."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="given")
    permission = models.ForeignKey(Permission, on_delete=models.CASCADE, related_name="+")

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["role", "permission"], name="permission_given_once")]

    def __str__(self) -> str:
        return f"{self.role_id}: {self.permission_id}"
