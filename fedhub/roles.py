"""The roles that the hub makes as groups: reader, operator, approver and administrator.

To use the admin a member also needs the field *staff*. A role does not give the rights that only superusers have: a
member cannot give the fields that give rights, and may change only accounts whose rights the member has
(admin/rights.py).
"""

from __future__ import annotations

from typing import Any

from core.roles.services import RoleDefinition, give_roles


def _each(app: str, action: str, models: str) -> tuple[str, ...]:
    return tuple(f"{app}.{action}_{model}" for model in models.split())


_READER = (
    *_each(
        "federations", "view", "federation mcpserver a2aagent runtimeobservation syncjob storedplan agentrun cardkeypin"
    ),
    *_each("peers", "view", "peer peerkey intent dispatch receiveddispatch inboundcallback outboundcallback"),
    *_each("peers", "view", "handlerevent registeredagent agentvisibilitychoice journalentry dispatchreceipt"),
)
_OPERATOR = (*_READER, "federations.sync_federation", "federations.run_a2aagent")
_APPROVER = (*_READER, "federations.approve_agentrun", "peers.change_peer", "peers.change_receiveddispatch")
_ADMINISTRATOR = tuple(
    dict.fromkeys(
        (
            *_OPERATOR,
            *_APPROVER,
            "lists.export_list",
            *_each("federations", "add", "federation federationgrant cardkeypin"),
            *_each("federations", "change", "federation federationgrant cardkeypin"),
            *_each("federations", "delete", "federation federationgrant"),
            *_each("federations", "view", "federationgrant previewslot"),
            "federations.system_ops",
            "federations.publish_mcpserver",
            *_each("peers", "add", "peer intent dispatch registeredagent"),
            *_each("peers", "change", "peerkey intent dispatch outboundcallback handlerevent agentvisibilitychoice"),
            "peers.change_registeredagent",
            "peers.delete_registeredagent",
            "peers.export_peer",
            "peers.change_federationlog",
            *_each("auth", "add", "user group"),
            *_each("auth", "change", "user group"),
            *_each("auth", "view", "user group"),
            "auth.delete_user",
            *_each("oauth2_provider", "view", "application accesstoken refreshtoken"),
            *_each("oauth2_provider", "add", "application"),
            *_each("oauth2_provider", "change", "application accesstoken refreshtoken"),
            *_each("oauth2_provider", "delete", "application"),
            *_each("django_celery_beat", "view", "periodictask intervalschedule crontabschedule"),
            "django_celery_beat.change_periodictask",
            "auditlog.view_logentry",
            "retention.view_kindcount",
            "notifications.change_rule",
        )
    )
)

ROLES = (
    RoleDefinition(
        "reader",
        "Reader",
        "see every federation, resource, runtime, job, plan and run, and every peer, intent, dispatch, receipt and "
        "line of the journal",
        _READER,
    ),
    RoleDefinition(
        "operator",
        "Operator",
        "do what a reader may do, start and cancel syncs in the admin, and give work to agents; not edit a federation, "
        "apply a plan or force a sync",
        _OPERATOR,
    ),
    RoleDefinition(
        "approver",
        "Approver",
        "do what a reader may do, approve and refuse work for agents, decide on peers and their keys, and answer "
        "dispatches by hand; not start syncs or runs",
        _APPROVER,
    ),
    RoleDefinition(
        "administrator",
        "Administrator",
        "do what the other roles may do, change and delete every federation and peer, give grants, export lists, "
        "show MCP servers to everyone, manage accounts that have no further rights, programs, schedules and "
        "notifications, read the audit log, and see what is stored; not give roles, permissions or the fields staff "
        "and superuser, which only superusers may do",
        _ADMINISTRATOR,
    ),
)

DEFINITIONS = {role.key: role for role in ROLES}


def give_roles_after_migrations(using: str, apps: Any = None, **signal: Any) -> None:
    """Receive `post_migrate`: make the roles, and give them the permissions that are new to them."""
    give_roles(ROLES, using=using, apps=apps)


def may_of_group(group: Any) -> str:
    """Return what the members of a role's group may do as the hub defines it; an empty text for any other group."""
    role = getattr(group, "role", None)
    definition = DEFINITIONS.get(role.key) if role else None
    return definition.may if definition else ""
