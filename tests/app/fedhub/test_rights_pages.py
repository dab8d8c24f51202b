"""What the pages of accounts, programs and schedules leave to staff, to owners and to superusers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from oauth2_provider.models import get_access_token_model, get_application_model

from federations.models import AccessLevel
from federations.services.access import grant
from tests.app.fedhub.test_rights import submit
from tests.conftest import MakeFederation, MakeUser

pytestmark = pytest.mark.django_db

Application = get_application_model()
SignIn = Callable[..., Client]
NEW_PASSWORD = {"password1": "entirely new words", "password2": "entirely new words", "usable_password": "true"}


@pytest.fixture
def sign_in(make_user: MakeUser) -> SignIn:
    """Return a client of a new staff member with these permissions, as `app.codename`."""

    def make(*names: str, **attributes: Any) -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(with_permissions(make_user("ines", is_staff=True, **attributes), *names))
        return client

    return make


@pytest.fixture
def root(db: None) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root", "root@hub.example", "the superuser's password"))
    return client


def with_permissions(holder: User, *names: str) -> User:
    for name in names:
        app, _, codename = name.partition(".")
        holder.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return holder


def user_page(user: User, name: str = "change") -> str:
    return reverse(f"admin:auth_user_{name}", args=[user.pk])


def may_act_as(client: Client, user: User) -> bool:
    """Set the e-mail address and the password of an account by its pages; both succeed or neither does."""
    submit(client, user_page(user), email="new@hub.example")
    answer = client.post(user_page(user, "password_change"), NEW_PASSWORD | {"set-password": "1"})
    stored = User.objects.get(pk=user.pk)
    changed = stored.email == "new@hub.example"
    assert changed == stored.check_password(NEW_PASSWORD["password1"]), answer.status_code
    return changed


# Accounts -----------------------------------------------------------------------------------------------------------
def test_a_permission_to_change_users_opens_accounts_whose_rights_its_holder_has(
    sign_in: SignIn, make_user: MakeUser, make_federation: MakeFederation
) -> None:
    client = sign_in("auth.change_user", "auth.view_user", "peers.view_dispatch")
    federation = make_federation()
    ines = User.objects.get(username="ines")
    grant(federation, level=AccessLevel.EDIT, user=ines)
    assert may_act_as(client, make_user("plain"))
    assert may_act_as(client, with_permissions(make_user("same", is_staff=True), "peers.view_dispatch"))
    equal = make_user("equal")
    grant(federation, level=AccessLevel.EDIT, user=equal)
    assert may_act_as(client, equal)
    assert may_act_as(client, ines)


@pytest.mark.parametrize("is_active", [True, False])
@pytest.mark.parametrize("right", ["superuser", "permission", "group", "grant", "grant of a group", "higher grant"])
def test_an_account_with_one_right_more_is_closed(
    sign_in: SignIn, make_user: MakeUser, make_federation: MakeFederation, right: str, is_active: bool
) -> None:
    client = sign_in("auth.change_user", "auth.view_user", "auth.delete_user", "auth.add_user")
    federation = make_federation()
    other = make_user("other", is_superuser=right == "superuser", is_active=is_active)
    group = Group.objects.create(name="operators")
    if right == "permission":
        with_permissions(other, "peers.view_dispatch")
    elif right == "group":
        other.groups.add(group)
        group.permissions.add(Permission.objects.get(codename="view_dispatch"))
    elif right == "grant":
        grant(federation, level=AccessLevel.VIEW, user=other)
    elif right == "grant of a group":
        other.groups.add(group)
        grant(federation, level=AccessLevel.VIEW, group=group)
    elif right == "higher grant":
        grant(federation, level=AccessLevel.VIEW, user=User.objects.get(username="ines"))
        grant(federation, level=AccessLevel.EDIT, user=other)
    assert not may_act_as(client, other)
    assert client.get(user_page(other)).status_code == 200
    assert client.get(user_page(other, "password_change")).status_code == 403
    assert client.post(user_page(other, "delete"), {"post": "yes"}).status_code == 403


def test_only_superusers_see_fields_that_give_rights(sign_in: SignIn, root: Client, make_user: MakeUser) -> None:
    plain = make_user("plain")
    rights = {"is_staff", "is_superuser", "groups", "user_permissions"}
    client = sign_in("auth.change_user", "auth.change_group")
    group = Group.objects.create(name="empty")
    assert not rights & client.get(user_page(plain)).context["adminform"].form.fields.keys()
    assert rights <= root.get(user_page(plain)).context["adminform"].form.fields.keys()
    path = reverse("admin:auth_group_change", args=[group.pk])
    assert set(client.get(path).context["adminform"].form.fields) == {"name"}
    assert set(root.get(path).context["adminform"].form.fields) == {"name", "permissions"}


def test_superusers_change_every_right(root: Client, make_user: MakeUser) -> None:
    plain, group = make_user("plain"), Group.objects.create(name="operators")
    keys = list(Permission.objects.filter(codename="view_dispatch").values_list("pk", flat=True))
    submit(root, user_page(plain), is_staff="on", is_superuser="on", groups=[group.pk], user_permissions=keys)
    plain.refresh_from_db()
    assert (plain.is_staff, plain.is_superuser, plain.groups.get()) == (True, True, group)
    assert may_act_as(root, plain)
    submit(root, reverse("admin:auth_group_change", args=[group.pk]), permissions=keys)
    assert group.permissions.count() == 1


def test_a_group_is_renamed_by_staff_who_have_its_rights(sign_in: SignIn) -> None:
    client = sign_in("auth.change_group", "peers.view_dispatch")
    for name, codename, may in (("a", "view_dispatch", True), ("b", "add_dispatch", False), ("c", "", True)):
        group = Group.objects.create(name=name)
        group.permissions.set(Permission.objects.filter(codename=codename))
        submit(client, reverse("admin:auth_group_change", args=[group.pk]), name=f"new {name}")
        group.refresh_from_db()
        assert (group.name == f"new {name}") is may
        assert group.permissions.filter(codename=codename).exists() is bool(codename)


# Programs -----------------------------------------------------------------------------------------------------------
def program_form(**values: Any) -> dict[str, Any]:
    return {
        "name": "robot",
        "kind": "machine",
        "redirect_uris": "",
        "scopes": ["federations-read", "system-ops", "peers-write"],
        **values,
    }


def scope_of_a_token(scope: str, secret: str = "machine secret") -> str:
    client = {"client_id": Application.objects.get().client_id, "client_secret": secret}
    form = {"grant_type": "client_credentials", "scope": scope, **client}
    return str(Client().post("/o/token", form).json().get("scope", ""))


@pytest.mark.parametrize("chosen", ["root", "ines", ""])
def test_the_owner_of_a_program_is_the_person_who_registers_it(sign_in: SignIn, root: Client, chosen: str) -> None:
    client = sign_in("oauth2_provider.add_application", "oauth2_provider.view_application")
    key = User.objects.get(username=chosen).pk if chosen else ""
    path = reverse("admin:oauth2_provider_application_add")
    assert "user" not in client.get(path).context["adminform"].form.fields
    with_permissions(User.objects.get(username="ines"), "federations.system_ops", "peers.add_dispatch")
    answer = client.post(path, program_form(user=key, skip_authorization="on"), follow=True)
    program, secret = Application.objects.get(), answer.context["secret"]
    assert (program.user.username, program.skip_authorization) == ("ines", False)
    assert scope_of_a_token("system-ops", secret) == "system-ops"
    User.objects.get(username="ines").user_permissions.clear()
    assert scope_of_a_token("system-ops", secret) == scope_of_a_token("peers-write", secret) == ""
    assert scope_of_a_token("federations-read", secret) == "federations-read"


@pytest.mark.parametrize("chosen", ["other", ""])
def test_a_superuser_chooses_the_owner_of_a_program(root: Client, make_user: MakeUser, chosen: str) -> None:
    other = make_user("other")
    root.post(reverse("admin:oauth2_provider_application_add"), program_form(user=other.pk if chosen else ""))
    assert Application.objects.get().user.username == (chosen or "root")


@pytest.mark.parametrize(
    ("uri", "is_allowed"),
    [
        ("https://client.example/cb", True),
        ("http://127.0.0.1/cb", True),
        ("http://[::1]/cb", True),
        ("http://client.example/cb", False),
        ("http://127.0.0.1.client.example/cb", False),
        ("https://client.example/cb http://client.example/cb", False),
    ],
)
def test_a_program_gets_codes_over_plain_http_on_the_persons_machine_alone(
    root: Client, uri: str, is_allowed: bool
) -> None:
    form = program_form(kind="app", redirect_uris=uri, user=root_key())
    answer = root.post(reverse("admin:oauth2_provider_application_add"), form)
    assert Application.objects.exists() == is_allowed
    assert ("is plain http" in answer.content.decode()) != is_allowed


def root_user() -> User:
    return User.objects.get(username="root")


def root_key() -> int:
    return root_user().pk


def make_program(user: User) -> Any:
    return Application.objects.create(
        user=user,
        name="robot",
        client_secret="machine secret",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )


def test_a_program_is_changed_and_deleted_by_its_owner_alone(
    sign_in: SignIn, root: Client, make_user: MakeUser
) -> None:
    client = sign_in("oauth2_provider.change_application", "oauth2_provider.delete_application")
    program = make_program(make_user("other"))
    path = reverse("admin:oauth2_provider_application_change", args=[program.pk])
    remove = reverse("admin:oauth2_provider_application_delete", args=[program.pk])
    before = Application.objects.values().get()
    answer = client.post(path, program_form(name="new", redirect_uris="https://evil.example/"))
    assert answer.status_code == 403
    assert client.post(remove, {"post": "yes"}).status_code == 403
    assert Application.objects.values().get() == before
    page = client.get(path).content.decode()
    assert program.client_secret not in page
    Application.objects.update(user=User.objects.get(username="ines"))
    submit(client, path, name="new", user=User.objects.get(username="root").pk)
    program.refresh_from_db()
    assert (program.name, program.user.username) == ("new", "ines")
    submit(root, path, name="newer")
    program.refresh_from_db()
    assert program.name == "newer"
    assert client.post(remove, {"post": "yes"}).status_code == 302


def test_a_new_owner_of_a_program_ends_its_tokens(root: Client, make_user: MakeUser) -> None:
    program, other = make_program(make_user("ines")), make_user("other")
    assert scope_of_a_token("federations-read")
    path = reverse("admin:oauth2_provider_application_change", args=[program.pk])
    submit(root, path, name="renamed")
    assert get_access_token_model().objects.count() == 1
    submit(root, path, user=other.pk)
    assert get_access_token_model().objects.count() == 0


def test_a_program_gets_the_scopes_of_its_form_alone_and_a_new_secret_ends_the_old_one(
    root: Client, make_user: MakeUser
) -> None:
    program = make_program(root_user())
    path = reverse("admin:oauth2_provider_application_change", args=[program.pk])
    assert scope_of_a_token("system-ops") == "system-ops"
    submit(root, path, scopes=["federations-read"])
    assert get_access_token_model().objects.count() == 0
    assert scope_of_a_token("system-ops") == ""
    assert scope_of_a_token("federations-read") == "federations-read"

    page = reverse("admin:oauth2_provider_application_rotate", args=[program.pk])
    assert root.get(page).status_code == 200
    sent = root.post(page)
    answer = root.get(sent["location"])
    assert root.get(sent["location"])["location"] == path
    assert "no-store" in answer["Cache-Control"]
    assert scope_of_a_token("federations-read") == ""
    assert scope_of_a_token("federations-read", answer.context["secret"]) == "federations-read"
    assert answer.context["secret"] not in root.get(path).content.decode()
    client = Client()
    client.force_login(make_user("reader", is_staff=True))
    assert client.post(page).status_code == 403


@pytest.mark.parametrize(
    ("page", "lookup"),
    [
        ("application", "client_secret__startswith"),
        ("application", "client_secret"),
        ("accesstoken", "token__startswith"),
        ("accesstoken", "token_checksum__startswith"),
        ("refreshtoken", "token__startswith"),
    ],
)
def test_no_filter_tells_a_secret_letter_by_letter(root: Client, make_user: MakeUser, page: str, lookup: str) -> None:
    make_program(make_user("ines"))
    answer = root.get(reverse(f"admin:oauth2_provider_{page}_changelist"), {lookup: "p"})
    assert answer.status_code == 400


# Schedules ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def sweep(db: None) -> PeriodicTask:
    interval = IntervalSchedule.objects.create(every=30, period=IntervalSchedule.SECONDS)
    return PeriodicTask.objects.create(name="Sweep jobs", task="federations.sweep", interval=interval)


@pytest.mark.parametrize("who", ["staff", "superuser"])
def test_staff_pause_a_task_and_change_nothing_else(
    sign_in: SignIn, root: Client, sweep: PeriodicTask, who: str
) -> None:
    client = root if who == "superuser" else sign_in("django_celery_beat.change_periodictask")
    path = reverse("admin:django_celery_beat_periodictask_change", args=[sweep.pk])
    fields = client.get(path).context["adminform"].form.fields
    assert set(fields) == {"enabled"}
    hourly = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)
    times = sweep.interval
    evil = {"task": "federations.run_job", "regtask": "peers.sweep", "args": '["x"]', "one_off": "on"}
    answer = client.post(path, {"interval": hourly.pk, **evil})
    assert answer.status_code == 302
    sweep.refresh_from_db()
    assert (sweep.enabled, sweep.interval) == (False, times)
    assert (sweep.task, sweep.args, sweep.one_off) == ("federations.sweep", "[]", False)


def test_nobody_adds_or_deletes_a_task_by_a_page(root: Client, sweep: PeriodicTask) -> None:
    assert root.get(reverse("admin:django_celery_beat_periodictask_add")).status_code == 403
    path = reverse("admin:django_celery_beat_periodictask_delete", args=[sweep.pk])
    assert root.post(path, {"post": "yes"}).status_code == 403
    assert PeriodicTask.objects.exists()


def test_tasks_are_paused_and_resumed_from_the_list_and_never_run(
    sign_in: SignIn, root: Client, sweep: PeriodicTask
) -> None:
    path = reverse("admin:django_celery_beat_periodictask_changelist")
    viewer = sign_in("django_celery_beat.view_periodictask")
    keys = list(PeriodicTask.objects.values_list("pk", flat=True))

    def send(client: Client, name: str) -> list[bool]:
        client.post(path, {"action": name, "_selected_action": keys})
        return list(PeriodicTask.objects.order_by("name").values_list("enabled", flat=True))

    assert send(viewer, "disable_tasks") == [True]
    assert send(root, "disable_tasks") == [False]
    assert send(root, "enable_tasks") == [True]
    choices = root.get(path).context["action_form"].fields["action"].choices
    assert {name for name, _ in choices if name} == {"enable_tasks", "disable_tasks"}


# Grants -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("level", "may"), [(AccessLevel.EDIT, False), (AccessLevel.OWNER, True)])
def test_grants_on_a_federation_are_given_by_its_owners(
    sign_in: SignIn, make_federation: MakeFederation, level: AccessLevel, may: bool
) -> None:
    codenames = [f"federations.{name}_federationgrant" for name in ("add", "change", "delete", "view")]
    client, federation = sign_in(*codenames), make_federation()
    grant(federation, level=level, user=User.objects.get(username="ines"))
    group = Group.objects.create(name="readers")
    rows = list(federation.grants.all())
    posted: dict[str, Any] = {"grants-TOTAL_FORMS": len(rows) + 1, "grants-INITIAL_FORMS": len(rows)}
    for number, row in enumerate(rows):
        posted |= {f"grants-{number}-id": row.pk, f"grants-{number}-holder": f"user:{row.user_id}"}
        posted |= {f"grants-{number}-level": row.level}
    posted |= {f"grants-{len(rows)}-holder": f"group:{group.pk}", f"grants-{len(rows)}-level": 1}
    submit(client, reverse("admin:federations_federation_edit", args=[federation.pk]), **posted)
    assert federation.grants.filter(group_id=str(group.pk)).exists() is may


# Actions ------------------------------------------------------------------------------------------------------------
def test_every_action_of_every_page_asks_for_a_permission() -> None:
    asked = 0
    for page in admin.site._registry.values():
        functions: list[Any] = [page.get_action(name)[0] for name in page.actions or ()]  # type: ignore[index]
        for place in ("list", "detail", "row", "submit_line"):
            found: list[Any] = getattr(page, f"_get_base_actions_{place}", list)()
            for entry in found:
                for action in entry["items"] if isinstance(entry, dict) else [entry]:
                    functions.append(action.method)
        for function in functions:
            assert function.allowed_permissions, f"{page}: {function}"
            asked += 1
    assert asked > 20
