"""Access to the registry: a model permission gives access to every row, a grant to one federation.

The functions `…_visible_to` return what a person may see of each model. Every page, endpoint, count, chart, file and
search takes its rows from them, or from a row that one of them returned (tests/pure/test_doors.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import Max, Q, QuerySet

from core.programs.models import OneFederationUser
from core.store.unit_of_work import subquery_or_list
from federations.models import (
    A2aAgent,
    AccessLevel,
    AgentRun,
    CardKeyPin,
    DeletedServer,
    DiscoveredResource,
    Federation,
    FederationGrant,
    McpServer,
    RuntimeObservation,
    StoredPlan,
    SyncJob,
)
from federations.runs.states import RunSource
from federations.services.sync_targets import UNFEDERATED

Resource = TypeVar("Resource", bound=DiscoveredResource)
AnyUser = User | AnonymousUser

PERMISSION_OF = {
    AccessLevel.VIEW: "federations.view_federation",
    AccessLevel.EDIT: "federations.change_federation",
    AccessLevel.OWNER: "federations.delete_federation",
}

SYNC = "federations.sync_federation"
"""The permission to start and cancel syncs in the admin with VIEW; the API asks for EDIT."""

VIEW_RECEIVED = "peers.view_receiveddispatch"
"""The permission of the app `peers` on the dispatches of other hubs, which this app knows by name alone."""


def federations_visible_to(user: AnyUser) -> QuerySet[Federation]:
    """Return the federations that `user` may view."""
    if user.has_perm(PERMISSION_OF[AccessLevel.VIEW]):
        return Federation.objects.all()
    return Federation.objects.filter(id__in=_granted_to(user))


def servers_visible_to(user: AnyUser) -> QuerySet[McpServer]:
    """Return the MCP servers that `user` may view."""
    return _visible(McpServer.objects.all(), user, "federations.view_mcpserver")


def public_servers() -> QuerySet[McpServer]:
    """Return the MCP servers that staff show to everyone; none unless FEDHUB_PUBLIC_REGISTRY is on."""
    return McpServer.objects.filter(is_public=True) if settings.FEDHUB_PUBLIC_REGISTRY else McpServer.objects.none()


def deleted_servers_visible_to(user: AnyUser) -> QuerySet[DeletedServer]:
    """Return the deleted MCP servers of the federations that `user` may view, and of none as for servers."""
    sees_federated = user.has_perm(PERMISSION_OF[AccessLevel.VIEW])
    allowed = ~Q(federation_id="") if sees_federated else Q(federation_id__in=_granted_to(user))
    if user.has_perm("federations.view_mcpserver"):
        allowed |= Q(federation_id="")
    return DeletedServer.objects.filter(allowed, is_only_hidden=False)


def deleted_public_servers() -> QuerySet[DeletedServer]:
    """Return the servers that everyone saw and no longer sees; none unless FEDHUB_PUBLIC_REGISTRY is on."""
    rows = DeletedServer.objects.filter(was_public=True)
    return rows if settings.FEDHUB_PUBLIC_REGISTRY else rows.none()


def agents_visible_to(user: AnyUser) -> QuerySet[A2aAgent]:
    """Return the A2A agents that `user` may view."""
    return _visible(A2aAgent.objects.all(), user, "federations.view_a2aagent")


def runtimes_visible_to(user: AnyUser) -> QuerySet[RuntimeObservation]:
    """Return the observations of the runtimes that `user` may view: those of the federations that `user` may view.

    The observations of a region without a federation need the permission `view_runtimeobservation`.
    """
    sees_federated = user.has_perm(PERMISSION_OF[AccessLevel.VIEW])
    sees_others = user.has_perm("federations.view_runtimeobservation")
    if sees_federated and sees_others:
        return RuntimeObservation.objects.all()
    unfederated = Q(scope__startswith=UNFEDERATED)
    allowed = ~unfederated if sees_federated else Q(scope__in=_granted_to(user))
    return RuntimeObservation.objects.filter(allowed | unfederated if sees_others else allowed)


def runs_visible_to(user: AnyUser) -> QuerySet[AgentRun]:
    """Return the runs that `user` may view: those of agents that `user` may view.

    The run of a peer's work may be confidential, so it also needs the right to see received dispatches.
    """
    rows = AgentRun.objects.all()
    if not user.has_perm(VIEW_RECEIVED):
        rows = rows.exclude(source=RunSource.PEER.value)
    sees_federated = user.has_perm(PERMISSION_OF[AccessLevel.VIEW])
    sees_others = user.has_perm("federations.view_a2aagent")
    if sees_federated and sees_others:
        return rows
    unfederated = Q(federation_id="")
    allowed = ~unfederated if sees_federated else Q(federation_id__in=_granted_to(user))
    return rows.filter(allowed | unfederated if sees_others else allowed)


def jobs_visible_to(user: AnyUser) -> QuerySet[SyncJob]:
    """Return all jobs if `user` has `view_syncjob`, otherwise the jobs of the federations that `user` may view."""
    if user.has_perm("federations.view_syncjob"):
        return SyncJob.objects.all()
    visible = federations_visible_to(user).order_by()
    return SyncJob.objects.filter(federation_id__in=subquery_or_list(visible.values_list("id", flat=True)))


def plans_visible_to(user: AnyUser) -> QuerySet[StoredPlan]:
    """Return all plans if `user` has `view_storedplan`, otherwise the plans of the federations that `user` may view."""
    if user.has_perm("federations.view_storedplan"):
        return StoredPlan.objects.all()
    visible = federations_visible_to(user).order_by()
    return StoredPlan.objects.filter(federation_id__in=subquery_or_list(visible.values_list("id", flat=True)))


def card_keys_visible_to(user: AnyUser) -> QuerySet[CardKeyPin]:
    """Return the pinned keys of agent cards: all with the permission `view_cardkeypin`, none without it."""
    return CardKeyPin.objects.all() if user.has_perm("federations.view_cardkeypin") else CardKeyPin.objects.none()


def may_run_agents(user: AnyUser) -> bool:
    """Tell whether `user` may give work to the agents that `user` may view, and answer and cancel runs."""
    return user.has_perm("federations.run_a2aagent")


def may_approve_runs(user: AnyUser) -> bool:
    """Tell whether `user` may approve and refuse the runs that `user` may view."""
    return user.has_perm("federations.approve_agentrun")


def level_of(user: AnyUser, federation: Federation) -> int:
    """Return the highest access level that `user` has on `federation`, 0 for none."""
    if isinstance(user, OneFederationUser) and federation.id != user.only_federation:
        return 0
    by_role = _level_by_role(user)
    if by_role == AccessLevel.OWNER:
        return by_role
    granted = _grants_of(user).filter(federation=federation).aggregate(highest=Max("level"))["highest"]
    return max(by_role, granted or 0)


def may_sync_in_admin(user: AnyUser, federation: Federation) -> bool:
    """Tell whether `user` may start plain syncs of `federation` in the admin, and cancel them.

    EDIT is enough, and so is VIEW with the permission `sync_federation`. A forced sync, a plan and the API need more.
    """
    return level_of(user, federation) >= (AccessLevel.VIEW if user.has_perm(SYNC) else AccessLevel.EDIT)


def edits_any_federation(user: AnyUser) -> bool:
    """Tell whether `user` may change any federation, by role or by grant."""
    if _level_by_role(user) >= AccessLevel.EDIT:
        return True
    return _grants_of(user).filter(level__gte=AccessLevel.EDIT).exists()


def may_create_federations(user: AnyUser) -> bool:
    """Tell whether `user` may create federations: staff may, and users with the permission `add_federation`.

    A token for one federation may not.
    """
    if isinstance(user, OneFederationUser):
        return False
    return bool(getattr(user, "is_staff", False)) or user.has_perm("federations.add_federation")


def grants_of_user(user: AnyUser) -> dict[str, int]:
    """Return the highest level that the grants of `user` and of the user's groups give, by federation id."""
    return _highest(_grants_of(user))


def grants_of_group(group_id: int) -> dict[str, int]:
    """Return the level that the grants of a group give, by federation id."""
    return _highest(FederationGrant.objects.filter(group_id=str(group_id)))


def grants_seen(holder: User, viewer: AnyUser) -> QuerySet[FederationGrant]:
    """Return the grants of `holder` and of the holder's groups on federations that `viewer` may view, with these.

    The grants of an inactive holder, which count once the holder is active, are among them.
    """
    held = FederationGrant.objects.filter(Q(user_id=str(holder.pk)) | Q(group_id__in=_group_keys(holder)))
    visible = federations_visible_to(viewer).order_by().values_list("id", flat=True)
    rows = held.filter(federation_id__in=subquery_or_list(visible)).select_related("federation")
    return rows.order_by("-level", "federation__display_name", "id")


def covers_grants(user: AnyUser, grants: Mapping[str, int]) -> bool:
    """Tell whether `user` has at least the levels in `grants`, which maps the id of a federation to a level."""
    if not grants:
        return True
    by_role, own = _level_by_role(user), grants_of_user(user)
    return all(max(by_role, own.get(key, 0)) >= level for key, level in grants.items())


def grant(
    federation: Federation, *, level: AccessLevel, user: User | None = None, group: Group | None = None
) -> FederationGrant:
    """Set the access level of one user or one group on `federation`.

    Raises ValueError unless exactly one of `user` and `group` is given.
    """
    if (user is None) == (group is None):
        raise ValueError("A grant has one holder: a user or a group.")
    row, _ = FederationGrant.objects.update_or_create(
        federation=federation,
        user_id=str(user.pk) if user else "",
        group_id=str(group.pk) if group else "",
        defaults={"level": level, "holder_name": str(user or group)[:200]},
    )
    return row


def _level_by_role(user: AnyUser) -> int:
    """Return the level on every federation; for a token of one federation it is the level on that one."""
    has_perm = user.has_full_perm if isinstance(user, OneFederationUser) else user.has_perm
    return max((level for level, name in PERMISSION_OF.items() if has_perm(name)), default=0)


def _highest(grants: QuerySet[FederationGrant]) -> dict[str, int]:
    return dict(grants.order_by("level").values_list("federation_id", "level"))


def _grants_of(user: AnyUser) -> QuerySet[FederationGrant]:
    if not user.is_authenticated or not user.is_active:
        return FederationGrant.objects.none()
    return FederationGrant.objects.filter(Q(user_id=str(user.pk)) | Q(group_id__in=_group_keys(user)))


def _group_keys(user: User) -> list[str]:
    """Return the ids of the groups of `user`, as the grants have them.

    They are read once for each user object, as Django reads the permissions of its groups. A query of its own reads
    them, because groups and grants may lie in two databases.
    """
    known: list[str] | None = user.__dict__.get("_group_keys")
    if known is None:
        known = user.__dict__["_group_keys"] = [str(group.pk) for group in user.groups.all()]
    return known


def _granted_to(user: AnyUser) -> Iterable[str]:
    """Return the ids of the federations on which `user` has a grant, or the one of a token for one federation."""
    rows = _grants_of(user)
    if isinstance(user, OneFederationUser):
        if _level_by_role(user):
            return [user.only_federation]
        rows = rows.filter(federation_id=user.only_federation)
    return subquery_or_list(rows.values_list("federation_id", flat=True))


def _visible(resources: QuerySet[Resource], user: AnyUser, unfederated_permission: str) -> QuerySet[Resource]:
    sees_federated, sees_others = user.has_perm(PERMISSION_OF[AccessLevel.VIEW]), user.has_perm(unfederated_permission)
    if sees_federated and sees_others:
        return resources
    allowed = Q(federation__isnull=False) if sees_federated else Q(federation__in=_granted_to(user))
    if sees_others:
        allowed |= Q(federation__isnull=True)
    return resources.filter(allowed)
