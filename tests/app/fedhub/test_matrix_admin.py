"""Every page and action of the admin for every kind of person: who may. A new page fails until it is in the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.template.base import Template
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django_celery_beat.models import CrontabSchedule, SolarSchedule
from oauth2_provider.models import get_application_model, get_refresh_token_model

from federations.models import AccessLevel, AgentRun, Federation, PreviewSlot
from federations.services.access import grant
from federations.services.stored_plans.make import create_plan
from fedhub.roles import ROLES
from tests.app.federations.admin.cloud import STAFF as BY_STAFF
from tests.app.federations.admin.cloud import put_in_place
from tests.app.fedhub.matrix import undone, without_logs
from tests.browser.rows import example, make_rows
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db(transaction=True)

# What a page needs: a permission by name, or one of these. A right on the federation comes by role or by grant.
STAFF, NOBODY, ROOT = "staff", "nobody", "superuser"
VIEW, EDIT, OWN, SYNC = "VIEW", "EDIT", "OWNER", "VIEW and sync_federation, or EDIT"
VIEW_AGENTS = "VIEW or view_agentvisibilitychoice"
RUN, APPROVE = "federations.run_a2aagent", "federations.approve_agentrun"
PUBLISH = "federations.publish_mcpserver"
MANAGE = "notifications.change_rule"
CHOOSE, ANSWER, EXPORT = "peers.change_agentvisibilitychoice", "peers.change_receiveddispatch", "lists.export_list"

# The pages of rows that only the hub writes have no page to add, change or delete; the need is that to view.
WRITTEN_BY_THE_HUB = {
    **dict.fromkeys(("mcpserver", "a2aagent", "runtimeobservation", "syncjob", "storedplan", "agentrun"), VIEW),
    "previewslot": "federations.view_previewslot",
    "discoveredagent": "peers.view_agentvisibilitychoice",
    **{
        name: f"peers.view_{name}"
        for name in (
            "peerkey", "dispatch", "receiveddispatch", "inboundcallback", "outboundcallback", "handlerevent",
            "journalentry", "dispatchreceipt",
        )
    },
    "logentry": "auditlog.view_logentry",
    "usersession": ROOT,
    "delivery": MANAGE,
}  # fmt: skip
# Lists on which all staff find their own rows; the need of the table is that of other people's rows.
LISTS_OF_OWN_ROWS = ("rule", "delivery")
# The others: what adding, changing and deleting needs where it is not the permission of that name.
OTHERS = {
    "federation": {"view": VIEW, "change": NOBODY, "delete": OWN},
    "peer": {"delete": NOBODY},
    "intent": {"change": NOBODY, "delete": NOBODY},
    "periodictask": {"add": NOBODY, "delete": NOBODY},
    # The examples are the superuser and a program of the superuser.
    "user": {"delete": ROOT},
    "application": {"change": ROOT, "delete": ROOT},
    **{key: {"add": NOBODY, "delete": NOBODY} for key in ("accesstoken", "refreshtoken")},
    **{name: {} for name in ("group", "registeredagent")},
    "cardkeypin": {"change": NOBODY, "delete": NOBODY},
    "rule": {"view": MANAGE, "add": STAFF, "delete": MANAGE},
}
# Pages beside those of Django's admin, by the end of their name.
PAGES = {
    **dict.fromkeys(("servers", "agents", "runtimes", "jobs", "access"), VIEW),
    **dict.fromkeys(
        ("edit", "dry_run", "enable", "disable", "pause_schedule", "resume_schedule", "check", "test"), EDIT
    ),
    **dict.fromkeys(("check_new", "test_new"), "federations.add_federation"),
    **dict.fromkeys(("sync_now", "cancel_sync", "sync_again"), SYNC),
    **dict.fromkeys(("remove", "share", "withdraw"), OWN),
    **dict.fromkeys(("document", "index_state", "compare", "live", "body"), VIEW),
    # These say that a row is gone, also if it is hidden from the person.
    **dict.fromkeys(("live_rows", "syncjob_live"), STAFF),
    **dict.fromkeys(("event", "artifact", "answer_file"), VIEW),
    **dict.fromkeys(("try_it", "answer_run", "cancel_run"), RUN),
    **dict.fromkeys(("approve_run", "refuse_run"), APPROVE),
    **dict.fromkeys(("apply", "dismiss"), EDIT),
    **dict.fromkeys(("undo", "asks", "make_public", "make_unlisted", "make_private"), CHOOSE),
    **dict.fromkeys(("publish", "hide"), PUBLISH),
    **dict.fromkeys(("seen_as", "this_hub"), "peers.view_peer"),
    **dict.fromkeys(("pause_messages", "resume_messages", "clear_failures", "fetch_agents"), "peers.change_peer"),
    **dict.fromkeys(("dispatch_on", "send_work", "copy_as_new", "intent_agents"), "peers.add_dispatch"),
    **{f"{name}_live": f"peers.view_{name}" for name in ("dispatch", "receiveddispatch")},
    **dict.fromkeys(("answer_work", "refuse_work"), ANSWER),
    **dict.fromkeys(("approve", "revoke", "fetch", "reject", "suspend", "resume", "repropose"), "peers.change_peer"),
    **dict.fromkeys(("issue_token", "revoke_all_tokens", "outbound_key", "retire", "allow_older"), "peers.change_peer"),
    "own_token": "oauth2_provider.view_accesstoken",
    **{f"{name}_revoke_one": f"oauth2_provider.change_{name}" for name in ("accesstoken", "refreshtoken")},
    "acknowledge_log": "peers.change_peer",
    **dict.fromkeys(("fetch_again", "cardkeypin_retire"), "federations.change_cardkeypin"),
    "start_log": "peers.change_federationlog",
    "refused_messages": "peers.view_journalentry",
    "import_peers": "peers.add_peer",
    **dict.fromkeys(("export_as_csv", "export_as_json"), "peers.export_peer"),
    **dict.fromkeys(("password_change", "roles", "user_end_sessions", "application_rotate"), ROOT),
    **dict.fromkeys(("send_test", "secret", "pause", "rule_resume", "send_again"), MANAGE),
    **{
        f"{model}_{page}": f"peers.change_{model}"
        for model in ("dispatch", "outboundcallback", "handlerevent")
        for page in ("retry", "put_away", "bring_back")
    },
}
# Pages of the whole site. The others of Django's own answer everybody or only redirect.
SITE_PAGES = {
    "index": STAFF, "admin-dashboard-live": STAFF, "search": STAFF, "admin-tools": VIEW, "admin-skills": VIEW,
    "password_change_done": STAFF, "jsi18n": STAFF, "admin-storage": "retention.view_kindcount",
    "admin-schedules": VIEW, "admin-roles": "auth.view_group",
}  # fmt: skip
ELSEWHERE = {"login", "logout", "autocomplete", "view_on_site", "app_list", "password_change"}
# Actions on ticked rows by name, and their permissions; a verb stands for that permission on the rows of the list.
ACTIONS = {
    "sync_selected": "federations.sync_federation",
    **dict.fromkeys(("make_public", "make_unlisted", "make_private"), CHOOSE),
    **dict.fromkeys(
        ("enable_selected", "disable_selected", "pause_selected", "resume_selected", "enable_tasks", "disable_tasks"),
        "change",
    ),
    **dict.fromkeys(
        ("retry_selected", "put_away_selected", "revoke_tokens", "suspend_selected", "review_selected"), "change"
    ),
    **dict.fromkeys(("ask_before_work", "start_without_asking"), CHOOSE),
    **dict.fromkeys(("publish_servers", "hide_servers"), PUBLISH),
    "delete_selected": "delete",
    "end_selected": ROOT,
    "remove_factors": ROOT,
}

# The same code serves these pages of every list.
OF_EVERY_LIST = ("columns", "views", "view")
OF_EVERY_ROW = ("history", "activity_line")
SLASHES_OF_A_LIST = 4
FEW = ("no right", "superuser", "grant VIEW")
# A grant opens nothing beside the registry; the lowest one is tried everywhere.
GRANTED = ("grant EDIT", "grant OWNER", "group's grant and sync_federation")

# The rows of the tests have no such part: a view, a change, an event, an artifact, an undo.
WITHOUT_A_ROW = ("view", "activity_line", "body", "event", "artifact", "undo", "document", "answer_file")
ONLY_POST = ("check", "check_new", "test", "test_new", "apply", "dismiss", "share", "withdraw", "roles")
FILES = {
    "peer": "peers.export_peer",
    "usersession": ROOT,
    "previewslot": NOBODY,
}

AdminPage = tuple[str, str, type[Model] | None, tuple[str, ...]]


def pages() -> Iterator[AdminPage]:
    """Yield each page of the admin: its need's key, the name of its address, its model, and the names of its ids."""

    def walk(patterns: Any, space: str = "") -> Iterator[tuple[str, URLPattern]]:
        for each in patterns:
            if isinstance(each, URLResolver):
                yield from walk(each.url_patterns, f"{each.namespace}:" if each.namespace else space)
            elif each.name and (space == "admin:" or each.name.startswith("admin-")):
                yield space, each

    models = {f"{model._meta.app_label}_{model._meta.model_name}_": model for model in admin.site._registry}
    for space, each in walk(get_resolver().url_patterns):
        keys = tuple(each.pattern.regex.groupindex)
        if each.name in ELSEWHERE:
            continue
        name = str(each.name)
        prefix = next((known for known in models if name.startswith(known)), "")
        yield name.removeprefix(prefix), f"{space}{name}", models.get(prefix), keys


def need_of(end: str, model: type[Model] | None) -> str:
    """Return what a page needs; raise KeyError for a page that the table does not have."""
    if model is None:
        return SITE_PAGES[end]
    name = str(model._meta.model_name)
    view = f"{model._meta.app_label}.view_{name}"
    needs = {"view": view} | {verb: view.replace(".view_", f".{verb}_") for verb in ("add", "change", "delete")}
    if name in WRITTEN_BY_THE_HUB:
        needs = {"view": WRITTEN_BY_THE_HUB[name], "add": NOBODY, "change": NOBODY, "delete": NOBODY}
    else:
        needs |= OTHERS[name]
    if name in LISTS_OF_OWN_ROWS and end in ("changelist", *OF_EVERY_LIST):
        return STAFF
    if end in ("changelist", "change", "history", "activity_line", "columns", "views", "view"):
        return needs["view"]
    if end in needs:
        return needs[end]
    if end == "export_changelist":
        return FILES.get(name, EXPORT)
    return PAGES.get(f"{name}_{end}") or PAGES[end]


def test_every_page_is_in_the_table() -> None:
    missing: list[str] = []
    for end, name, model, _ in pages():
        try:
            need_of(end, model)
        except KeyError:
            missing.append(name)
    assert not missing


class Person:
    """A person with a session: what the person may, as permissions and as rights on the federations."""

    def __init__(self, name: str, rights: set[str] | None = None, *, enters: bool = True, **fields: Any) -> None:
        self.name, self.rights, self.enters = name, rights or set(), enters
        self.user = User.objects.create_user(name, **({"is_staff": True} | fields))
        self.client = Client(raise_request_exception=False)
        self.client.force_login(self.user)

    def may(self, need: str) -> bool:
        if need == NOBODY or not self.enters:
            return False
        if need == STAFF or self.user.is_superuser:
            return True
        if need == SYNC:
            return EDIT in self.rights or {VIEW, "federations.sync_federation"} <= self.rights
        return need in self.rights


def people() -> Iterator[Person]:
    """Yield everybody who may come to the admin, and those who may not enter it."""
    federations = list(Federation.objects.all())
    yield Person("not staff", {VIEW, EDIT, OWN}, enters=False, is_staff=False)
    disabled = Person("disabled", enters=False, is_superuser=True)
    User.objects.filter(pk=disabled.user.pk).update(is_active=False)
    yield disabled
    yield Person("no right")
    yield Person("superuser", is_superuser=True)
    levels = {"Administrator": {VIEW, EDIT, OWN}}
    for role in ROLES:
        member = Person(role.name, set(role.permissions) | levels.get(role.name, {VIEW}))
        member.user.groups.add(Group.objects.get(name=role.name))
        yield member
    former = Person("lost the role")
    former.user.groups.add(Group.objects.get(name="Administrator"))
    former.client.get(reverse("admin:index"))
    former.user.groups.clear()
    yield former
    for level, rights in {
        AccessLevel.VIEW: {VIEW},
        AccessLevel.EDIT: {VIEW, EDIT},
        AccessLevel.OWNER: {VIEW, EDIT, OWN},
    }.items():
        holder = Person(f"grant {level.name}", rights)
        for federation in federations:
            grant(federation, level=level, user=holder.user)
        yield holder
    member = Person("group's grant and sync_federation", {VIEW, "federations.sync_federation"})
    team = Group.objects.create(name="Team")
    team.permissions.add(Permission.objects.get(codename="sync_federation"))
    member.user.groups.add(team)
    for federation in federations:
        grant(federation, level=AccessLevel.VIEW, group=team)
    yield member


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path) -> list[Person]:
    cloud = put_in_place(monkeypatch, settings, tmp_path)
    root = User.objects.create_superuser("root")
    User.objects.create_user("operator")
    make_rows(cloud)
    first = Federation.objects.order_by("pk")[0]
    create_plan(first, by=BY_STAFF)
    PreviewSlot.objects.create(federation=first, number=1, lease_expires_at=timezone.now())
    robot = get_application_model().objects.create(user=root, client_id="robot", name="robot")
    get_refresh_token_model().objects.create(user=root, token="t", application=robot)
    CrontabSchedule.objects.create()
    SolarSchedule.objects.create(event="sunrise", latitude=1, longitude=1)
    # Only the status is looked at, and a template costs most of a page.
    monkeypatch.setattr(Template, "render", lambda self, context: SafeString(""))
    return list(people())


def address(name: str, model: type[Model] | None, end: str, keys: tuple[str, ...]) -> str:
    """Return the address of a page, with the ids of an example row."""
    ids: dict[str, Any] = {"view_id": 1, "change_id": "0" * 24, "sequence": 1, "place": 0, "line": "audit-0"}
    if model is not None and {"object_id", "id"} & set(keys):
        # The run of a peer's work also needs the right to see received dispatches.
        row = (
            example(model, end) if model is not AgentRun else AgentRun.objects.exclude(source="peer").order_by("pk")[0]
        )
        ids |= dict.fromkeys(("object_id", "id"), row.pk if row else 1)
    return reverse(name, args=[ids[key] for key in keys])


def outcome(person: Person, path: str, method: str, **data: str) -> str:
    """Return `login`, `refused`, `hidden` (the row is not there for this person), `error`, or `may`."""
    with undone():
        answer = getattr(person.client, method)(path, data)
    target = answer.headers.get("location", "").partition("?")[0]
    if "/login/" in target:
        return "login"
    is_list = target.count("/") == SLASHES_OF_A_LIST and path.startswith(target)
    if answer.status_code == 404 or target == reverse("admin:index") or is_list:
        return "hidden"
    return "refused" if answer.status_code == 403 else "error" if answer.status_code >= 500 else "may"


# Twenty seconds of one core alone.
@pytest.mark.timeout(360)
def test_every_person_gets_the_expected_answer_of_every_page_and_action(world: list[Person]) -> None:
    with without_logs():
        wrong = [*wrong_pages(world), *wrong_posts(world), *wrong_actions(world)]
    assert not wrong, "\n".join(wrong)


def wrong_pages(world: list[Person]) -> Iterator[str]:
    """Yield a line for each answer to a GET request that differs from the table."""
    for end, name, model, keys in pages():
        path, need = address(name, model, end, keys), need_of(end, model)
        for person in world:
            is_elsewhere = model is not None and model._meta.app_label != "federations"
            is_alike = end in OF_EVERY_LIST or need == NOBODY or (end in OF_EVERY_ROW and is_elsewhere)
            if (is_alike and person.name not in FEW) or (is_elsewhere and person.name in GRANTED):
                continue
            allowed = {"may", "hidden"} if end in WITHOUT_A_ROW else {"may"}
            expected = allowed if person.may(need) else {"refused", "hidden"} if person.enters else {"login"}
            if (found := outcome(person, path, "post" if end in ONLY_POST else "get")) not in expected:
                yield f"{person.name}: {path}: {found}, not {expected}, for {need}"


def wrong_posts(world: list[Person]) -> Iterator[str]:
    """Yield a line for each POST request that a person without the right may send, or that changes a row."""
    for end, name, model, keys in pages():
        need = changing(model) if end == "change" and model is not None else need_of(end, model)
        if need in (VIEW, STAFF) or end in ("changelist", *OF_EVERY_ROW, *OF_EVERY_LIST):
            continue
        path, is_tab = address(name, model, end, keys), end == "change" and model is Federation
        for person in world:
            if person.name in ("no right", "Reader", "grant VIEW") and not person.may(need):
                with counted_writes() as written:
                    found = outcome(person, path, "post", _form_submitted="True", post="yes")
                if (found not in ("refused", "hidden") and not is_tab) or written:
                    yield f"{person.name}: POST {path}: {found}, {written}, for {need}"


def wrong_actions(world: list[Person]) -> Iterator[str]:
    """Yield a line for each action on ticked rows that a list offers to the wrong person, or not to the right one."""
    root = next(person for person in world if person.name == "superuser")
    for model, page in admin.site._registry.items():
        options = model._meta
        for name in offered(page, root):
            need = ACTIONS[name]
            if need in ("change", "delete"):
                need = f"{options.app_label}.{need}_{options.model_name}"
            for person in world:
                if person.enters and (name in offered(page, person)) is not person.may(need):
                    yield f"{person.name}: {options.label}: {name}, which needs {need}"


def changing(model: type[Model]) -> str:
    """Return what a change of a row needs."""
    name = str(model._meta.model_name)
    if name in WRITTEN_BY_THE_HUB:
        return NOBODY
    return OTHERS[name].get("change", f"{model._meta.app_label}.change_{name}")


def offered(page: Any, person: Person) -> set[str]:
    """Return the names of the actions that a list offers to a person."""
    request = RequestFactory().get("/")
    request.user = User.objects.get(pk=person.user.pk)
    return set(page.get_actions(request))


@contextmanager
def counted_writes() -> Iterator[list[str]]:
    """Collect the statements of the block that change rows, apart from those of sessions and of their last use."""
    with counted_queries() as queries:
        written: list[str] = []
        yield written
    changes, of_sessions = ("INSERT", "UPDATE", "DELETE"), ("django_session", "people_usersession")
    written += [
        each for each in queries if each.startswith(changes) and not any(table in each for table in of_sessions)
    ]
