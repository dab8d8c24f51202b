"""No permission lets its holder raise rights: each permission of the attacked pages alone, the others by app."""

from __future__ import annotations

from typing import Any

import pytest
from celery.app.task import Task
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.forms import MultiWidget
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import ClockedSchedule, IntervalSchedule, PeriodicTask
from oauth2_provider.models import get_access_token_model, get_application_model

from core.api.scopes import scopes_of_roles
from core.tokens.programs import rotate_secret
from core.tokens.services import issue_token
from federations.models import AccessLevel, FederationGrant
from federations.schedules.rule import Schedule
from federations.services.access import grant
from federations.services.schedule import set_schedule
from tests.conftest import MakeFederation

pytestmark = pytest.mark.django_db

Application = get_application_model()
SCOPES = ("federations-read", "federations-write", "system-ops", "agents-run", "peers-read", "peers-write")
SECRET = "a secret that the attacker knows"
PASSWORD = "a password that the attacker knows"
ROOTS_SECRET = "a secret of the superuser"


# The models whose pages the attacks open.
ATTACKED = {
    "auth.User",
    "auth.Group",
    "auth.Permission",
    "oauth2_provider.Application",
    "oauth2_provider.AccessToken",
    "django_celery_beat.PeriodicTask",
    "django_celery_beat.IntervalSchedule",
    "django_celery_beat.ClockedSchedule",
    "federations.Federation",
    "federations.FederationGrant",
}


def permissions_of(model: type[Model]) -> list[str]:
    """Return every permission that a model defines, as `app.codename`."""
    options = model._meta
    standard = [f"{name}_{options.model_name}" for name in options.default_permissions]
    return [f"{options.app_label}.{codename}" for codename in (*standard, *(name for name, _ in options.permissions))]


def sets_of_permissions() -> dict[str, list[str]]:
    """Return each permission of the attacked models alone, and those of an app's other models together, by name."""
    sets: dict[str, list[str]] = {}
    for model in apps.get_models():
        for name in permissions_of(model):
            is_alone = model._meta.label in ATTACKED
            sets.setdefault(name if is_alone else f"{model._meta.app_label}, others", []).append(name)
    return sets


PERMISSIONS = sets_of_permissions()


class World:
    """A superuser, a colleague with rights, a group, a program of the superuser, schedules; and the attacker."""

    def __init__(self, make_federation: MakeFederation) -> None:
        self.root = User.objects.create_superuser("root", "root@hub.example", "the superuser's password")
        self.operators = Group.objects.create(name="Operators")
        self.operators.permissions.add(permission("peers.add_dispatch"), permission("federations.system_ops"))
        self.vera = User.objects.create_user("vera", "vera@hub.example", "the colleague's password", is_staff=True)
        self.vera.groups.add(self.operators)
        self.plain = User.objects.create_user("plain", "plain@hub.example", "the plain user's password")
        self.eve = User.objects.create_user("eve", "eve@hub.example", "the attacker's password", is_staff=True)
        self.own_group = Group.objects.create(name="Attackers")
        self.eve.groups.add(self.own_group)
        self.program = Application.objects.create(
            user=self.root,
            name="robot",
            client_id="robot",
            client_secret=ROOTS_SECRET,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        )
        issue_token("root", scopes=SCOPES, days=1)
        self.federation = make_federation("Payments")
        # The cheapest right on a federation's page is the attacker's, so that its forms open for the attacker.
        grant(self.federation, level=AccessLevel.EDIT, user=self.eve)
        set_schedule(self.federation, Schedule(1800))
        self.interval = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.DAYS)
        self.clocked = ClockedSchedule.objects.create(clocked_time="2020-01-01T00:00:00Z")
        self.sweep = PeriodicTask.objects.create(name="Sweep", task="peers.sweep", interval=self.interval)
        self.client = Client(raise_request_exception=False)
        self.client.force_login(self.eve)

    def rights(self) -> dict[str, Any]:
        """Return everything that gives rights, apart from the attacker's own password, name and programs."""
        known = {user.pk for user in (self.root, self.vera, self.plain, self.eve)}
        users = User.objects.prefetch_related("groups", "user_permissions")
        return {
            "users": {u.username if u.pk in known else u.pk: rights_of_user(u) for u in users if u.pk in known},
            "new users": [rights_of_user(u)[:4] for u in users if u.pk not in known and any(rights_of_user(u)[:4])],
            "accounts": {
                u.pk: (u.username, u.email, u.password, u.is_active)
                for u in users
                if u.pk in (self.root.pk, self.vera.pk)
            },
            "groups": [
                (g.pk if g in (self.operators, self.own_group) else None, rights)
                for g in Group.objects.order_by("pk")
                if (rights := sorted(g.permissions.values_list("codename", flat=True)))
            ],
            "programs": list(Application.objects.exclude(user=self.eve).order_by("pk").values()),
            "grants": sorted(FederationGrant.objects.values_list("federation", "user_id", "group_id", "level")),
            "schedules": sorted(
                PeriodicTask.objects.values_list(
                    "name", "task", "args", "kwargs", "queue", "headers", "one_off", "clocked"
                )
            ),
        }


def rights_of_user(user: User) -> tuple[Any, ...]:
    return (
        user.is_superuser,
        user.is_staff,
        sorted(p.codename for p in user.user_permissions.all()),
        sorted(g.name for g in user.groups.all()),
    )


def permission(name: str) -> Permission:
    app, _, codename = name.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


@pytest.fixture
def world(make_federation: MakeFederation) -> World:
    return World(make_federation)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that a page sends to a worker."""
    names: list[str] = []
    monkeypatch.setattr(Task, "apply_async", lambda self, *args, **kwargs: names.append(self.name))
    return names


def submit(client: Client, path: str, **evil: Any) -> None:
    """Post the fields in `evil` alone, then the page's form as it is shown, with these fields replaced or added."""
    if client.post(path, evil).status_code == 403:
        return
    shown = client.get(path)
    posted: dict[str, Any] = {}
    if shown.status_code == 200 and shown.context and "adminform" in shown.context:
        form = shown.context["adminform"].form
        for name, field in form.fields.items():
            value = form.get_initial_for_field(field, name)
            parts = field.widget.decompress(value) if isinstance(field.widget, MultiWidget) else None
            posted |= {name: value} if parts is None else {f"{name}_{n}": part for n, part in enumerate(parts)}
        for formset in shown.context.get("inline_admin_formsets", []):
            management = formset.formset.management_form
            posted |= {management.add_prefix(name): value for name, value in management.initial.items()}
    given = {name: value for name, value in (posted | evil).items() if value is not None and value is not False}
    cleaned = {name: key_of(value) for name, value in given.items()}
    client.post(path, cleaned)


def key_of(value: Any) -> Any:
    if isinstance(value, list):
        return [getattr(entry, "pk", entry) for entry in value]
    return getattr(value, "pk", value)


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:{model}_{name}", args=args)


def attack_accounts(world: World) -> None:
    """Try to become a superuser, to get permissions and groups, and to take over an account."""
    every = list(Permission.objects.values_list("pk", flat=True))
    groups = [world.operators.pk, world.own_group.pk]
    rights = {"is_superuser": "on", "is_staff": "on", "groups": groups, "user_permissions": every}
    for user in (world.eve, world.plain, world.vera, world.root):
        for suffix in ("", "?_popup=1") if user == world.eve else ("",):
            submit(world.client, page("auth_user", "change", user.pk) + suffix, **rights)
    for user in (world.vera, world.root):
        taken = {"username": f"taken-{user.pk}", "email": "eve@evil.example", "is_active": ""}
        submit(world.client, page("auth_user", "change", user.pk), **taken)
        passwords = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true", "set-password": "1"}
        submit(world.client, reverse("admin:auth_user_password_change", args=[user.pk]), **passwords)
        submit(world.client, page("auth_user", "delete", user.pk), post="yes")
    new = {"username": "mallory", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    submit(world.client, page("auth_user", "add"), **new, **rights)
    submit(world.client, page("auth_user", "add") + "?_popup=1", **(new | {"username": "mallory2"}), **rights)
    for group in (world.operators, world.own_group):
        submit(world.client, page("auth_group", "change", group.pk), permissions=every)
    for user in (world.eve, world.plain):
        roles = reverse("admin:auth_user_roles", args=[user.pk])
        submit(world.client, roles, role="administrator", do="give", reason="I want it")
    submit(world.client, page("auth_group", "add"), name="Made", permissions=every)


def attack_programs(world: World) -> None:
    """Try to register a program that acts as somebody else, and to take one over."""
    values = {"name": "evil", "kind": "machine", "client_secret": SECRET, "scopes": list(SCOPES)}
    for user in (world.root, world.vera):
        chosen = {"client_id": f"evil-{user.pk}", "user": user.pk}
        submit(world.client, page("oauth2_provider_application", "add"), **values, **chosen)
    own = Application.objects.filter(user=world.eve).first()
    if own:
        path = page("oauth2_provider_application", "change", own.pk)
        submit(world.client, path, user=world.root.pk, skip_authorization="on")
    path = page("oauth2_provider_application", "change", world.program.pk)
    submit(world.client, path, client_secret=SECRET, redirect_uris="https://evil.example/")
    submit(world.client, path, client_id="taken", name="taken", user=world.eve.pk)
    submit(world.client, page("oauth2_provider_application", "delete", world.program.pk), post="yes")  # fmt: skip
    submit(world.client, page("oauth2_provider_application", "rotate", world.program.pk))


def attack_schedules(world: World) -> None:
    """Try to run a task, now or by a schedule."""
    task = {
        "task": "federations.sweep",
        "regtask": "federations.sweep",
        "args": f'["{world.federation.pk}"]',
        "kwargs": "{}",
        "headers": "{}",
        "queue": "evil",
        "one_off": "on",
        "enabled": "on",
    }
    new = {"name": "evil", "interval": world.interval.pk}
    submit(world.client, page("django_celery_beat_periodictask", "add"), **new, **task)
    for row in PeriodicTask.objects.all():
        path = page("django_celery_beat_periodictask", "change", row.pk)
        submit(world.client, path, **task)
        submit(world.client, path, interval="", clocked=world.clocked.pk, **task)


def attack_grants(world: World) -> None:
    """Try to raise the own grant on a federation; permissions of other apps open no part of that costly page."""
    if not any(name.startswith("federations.") for name in User.objects.get(pk=world.eve.pk).get_all_permissions()):
        return
    prefix, path = "grants", page("federations_federation", "change", world.federation.pk)
    own = FederationGrant.objects.get(user_id=str(world.eve.pk))
    rows = list(world.federation.grants.all())
    posted: dict[str, Any] = {f"{prefix}-TOTAL_FORMS": len(rows) + 1, f"{prefix}-INITIAL_FORMS": len(rows)}
    for number, row in enumerate(rows):
        level = AccessLevel.OWNER if row == own else row.level
        holder = f"user:{row.user_id}" if row.user_id else f"group:{row.group_id}"
        values = {"id": row.pk, "federation": world.federation.pk, "holder": holder, "level": int(level)}
        posted |= {f"{prefix}-{number}-{name}": value for name, value in values.items()}
    new_holder = f"group:{world.own_group.pk}"
    values = {"federation": world.federation.pk, "holder": new_holder, "level": int(AccessLevel.OWNER)}
    posted |= {f"{prefix}-{len(rows)}-{name}": value for name, value in values.items()}
    submit(world.client, path, **posted)


def attack_by_actions(world: World) -> None:
    """Send every action of every list of accounts, programs, tokens and schedules, for all rows."""
    for model in (User, Group, Application, get_access_token_model(), PeriodicTask):
        model_admin = admin.site.get_model_admin(model)
        names = {name if isinstance(name, str) else name.__name__ for name in model_admin.actions or ()}
        others = model._default_manager.exclude(pk=world.eve.pk) if model is User else model._default_manager.all()
        keys = list(others.values_list("pk", flat=True))
        for name in names | {"delete_selected", "run_tasks", "enable_tasks", "disable_tasks", "toggle_tasks"}:
            path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            world.client.post(path, {"action": name, ACTION_CHECKBOX_NAME: keys, "post": "yes", "index": "0"})


def scopes_that_programs_get() -> dict[str, set[str]]:
    """Return, for each program that the attacker knows the secret of, the scopes of the tokens that it gets."""
    got: dict[str, set[str]] = {}
    for program in Application.objects.select_related("user"):
        client_id = program.client_id
        secret = rotate_secret(program) if program.user.username == "eve" else SECRET
        known = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        for scope in SCOPES:
            answer = Client().post("/o/token", known | {"scope": scope})
            if answer.status_code == 200:
                got.setdefault(client_id, set()).update(answer.json()["scope"].split())
    return got


def check_that_nothing_is_gained(world: World, ran: list[str]) -> None:
    before, tokens = world.rights(), get_access_token_model().objects.count()
    for attack in (attack_accounts, attack_programs, attack_schedules, attack_grants, attack_by_actions):
        attack(world)
    assert ran == []
    assert world.rights() == before
    if not User.objects.get(pk=world.eve.pk).has_perm("oauth2_provider.change_accesstoken"):
        assert get_access_token_model().objects.count() == tokens
    eve = User.objects.get(pk=world.eve.pk)
    for client_id, scopes in scopes_that_programs_get().items():
        assert scopes <= scopes_of_roles(eve), client_id
        assert Application.objects.get(client_id=client_id).user == eve


@pytest.mark.parametrize("names", PERMISSIONS.values(), ids=PERMISSIONS)
def test_no_permission_lets_its_holder_raise_rights(world: World, ran: list[str], names: list[str]) -> None:
    world.eve.user_permissions.add(*map(permission, names))
    check_that_nothing_is_gained(world, ran)


WHOLE_MODELS = [
    "auth.user",
    "auth.group",
    "oauth2_provider.application",
    "django_celery_beat.periodictask",
    "federations.federationgrant",
]


@pytest.mark.parametrize("label", WHOLE_MODELS)
def test_all_permissions_of_a_model_do_not_let_their_holder_raise_rights(
    world: World, ran: list[str], label: str
) -> None:
    app, _, model = label.partition(".")
    world.eve.user_permissions.set(Permission.objects.filter(content_type__app_label=app, content_type__model=model))
    check_that_nothing_is_gained(world, ran)


def test_the_whole_of_accounts_and_schedules_does_not_let_its_holder_raise_rights(world: World, ran: list[str]) -> None:
    several = Permission.objects.filter(content_type__app_label__in=["auth", "oauth2_provider", "django_celery_beat"])
    world.eve.user_permissions.set(several)
    check_that_nothing_is_gained(world, ran)
