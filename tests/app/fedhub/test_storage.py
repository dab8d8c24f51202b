"""The page Storage, its figures and its checks, and the command that prunes."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from auditlog.models import LogEntry
from django.apps import apps
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_application_model, get_refresh_token_model

from core.retention.kinds import names_of
from core.retention.models import KindCount, PruneTurn
from core.retention.prune import prune
from core.store.sizes import disks
from fedhub.metrics import gauges
from fedhub.readiness import NotReadyError, check_disk
from fedhub.retention import KINDS

pytestmark = pytest.mark.django_db
PAGE, DAY = "/admin/storage/", timedelta(days=1)


# Tables whose rows people enter, or of which each such row has a few.
BOUNDED = """
    auth.Permission auth.Group auth.User contenttypes.ContentType oauth2_provider.Application roles.Role
    django_celery_beat.SolarSchedule django_celery_beat.IntervalSchedule django_celery_beat.ClockedSchedule
    django_celery_beat.CrontabSchedule django_celery_beat.PeriodicTasks django_celery_beat.PeriodicTask
    peers.AgentVisibilityChoice peers.AgentWorkSetting peers.RegisteredAgent peers.Peer peers.PeerKey
    peers.PeerDecision peers.FederationLog programs.TokenUse people.SignInIdentity people.SecondFactor
    programs.TokenNote programs.ProgramScopes
    people.RecoveryCode lists.SavedView lists.HiddenColumns beat.BeatLease retention.PruneTurn roles.GivenPermission
    federations.Federation federations.FederationTag federations.FederationGrant federations.PreviewSlot
    federations.ConnectionTestSlot federations.McpServerTag federations.A2aAgentTag federations.RuntimeTag
    federations.AgentQueueTurn federations.CardKeyPin notifications.Rule
    oauth2_provider.IDToken oauth2_provider.DeviceGrant
"""


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def make_rows() -> None:
    """Two sessions, two access tokens and a refresh token, half of them over, and three entries of the audit log."""
    now, person = timezone.now(), User.objects.create_user("ada")
    for name, days in (("over", -400), ("alive", 1)):
        token = get_access_token_model().objects.create(user=person, token=name, expires=now + days * DAY)
        get_access_token_model().objects.filter(pk=token.pk).update(created=now - 500 * DAY)
    app = get_application_model().objects.create(user=person, authorization_grant_type="authorization-code")
    get_refresh_token_model().objects.create(user=person, token="r", application=app, revoked=now - 40 * DAY)
    get_refresh_token_model().objects.update(created=now - 50 * DAY)
    for name, days in (("over", -1), ("alive", 1)):
        Session.objects.create(session_key=name, session_data="", expire_date=now + days * DAY)
    for age in (300, 370, 0):
        entry = LogEntry.objects.create(
            content_type=ContentType.objects.get_for_model(User), object_pk=str(age), action=LogEntry.Action.UPDATE
        )
        LogEntry.objects.filter(pk=entry.pk).update(timestamp=now - age * DAY)


def run(*arguments: str) -> str:
    stdout = StringIO()
    call_command("prune", *arguments, stdout=stdout)
    return stdout.getvalue()


def test_the_page_is_empty_before_the_first_count_and_shows_rows_after_it(admin: Client) -> None:
    assert "Nothing is counted yet" in admin.get(PAGE).content.decode()
    make_rows()

    dry = run("--dry-run")
    assert "Browser sessions" in dry and Session.objects.filter(session_key="over").exists()
    assert "Audit log: 1" in run()

    assert [token.token for token in get_access_token_model().objects.all()] == ["alive"]
    assert not get_refresh_token_model().objects.exists()
    assert not Session.objects.filter(session_key="over").exists()
    assert Session.objects.filter(session_key="alive").exists()
    assert set(LogEntry.objects.exclude(object_pk="").values_list("object_pk", flat=True)) >= {"300", "0"}
    assert not LogEntry.objects.filter(object_pk="370").exists()
    text = admin.get(PAGE).content.decode()
    assert "The last prune is complete" in text and "Audit log" in text and "Received dispatches" in text
    # The session that is over tomorrow.
    assert KindCount.objects.get(kind="sessions").next_rows == 1
    figures = {gauge.name: gauge.numbers for gauge in gauges()}
    assert figures["fedhub_stored_rows"][("audit_log",)] == LogEntry.objects.count()
    assert figures["fedhub_oldest_row_seconds"][("audit_log",)] == pytest.approx(300 * 86_400, abs=100)
    assert figures["fedhub_disk_free_bytes"]


def test_one_prune_works_at_a_time_and_a_kind_that_fails_stops_no_other(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rows()
    now = timezone.now()
    PruneTurn.take(now=now, lease=DAY, token="another")
    with pytest.raises(CommandError, match="Another prune"):
        run()
    PruneTurn.give_back("not the holder", now=now, is_complete=True)
    assert not prune(KINDS, now=now).has_turn
    PruneTurn.give_back("another", now=now, is_complete=True)

    def fails(keys: Any, cutoff: Any) -> set[Any]:
        raise DatabaseError("locked")

    broken = [kind if kind.name != "sessions" else type(kind)(**{**fields(kind), "needed": fails}) for kind in KINDS]
    result = prune(broken, now=now)
    assert (result.errors, result.taken.get("audit_log")) == ({"sessions": "DatabaseError"}, 1)
    assert "Not pruned" in admin.get(PAGE).content.decode()


def fields(kind: Any) -> dict[str, Any]:
    return {name: getattr(kind, name) for name in kind.__dataclass_fields__}


def test_a_disk_with_little_space_is_told_and_a_full_one_makes_the_hub_unready(
    admin: Client, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.FEDHUB_LOW_DISK_MB = 1000

    def has(megabytes: int) -> None:
        monkeypatch.setattr("core.store.sizes.shutil.disk_usage", lambda path: Usage(10**12, 0, megabytes * 2**20))

    has(2000)
    check_disk()
    assert "with little space" not in admin.get("/admin/").content.decode()
    has(500)
    check_disk()
    assert "with little space" in admin.get("/admin/").content.decode()
    assert "Little space is left" in admin.get(PAGE).content.decode()
    reader = Client()
    reader.force_login(User.objects.create_user("ines", is_staff=True))
    assert "with little space" not in reader.get("/admin/").content.decode()
    assert reader.get(PAGE).status_code == 403
    has(99)
    with pytest.raises(NotReadyError, match="99 MB free"):
        check_disk()


def test_a_disk_is_named_once_and_a_folder_need_not_exist(tmp_path: Path) -> None:
    (disk,) = disks({"files": tmp_path, "index": tmp_path / "not" / "there"})
    assert (disk.names, 0 < disk.free <= disk.total) == (("files", "index"), True)


def test_each_table_that_grows_with_traffic_or_time_is_a_kind() -> None:
    known = {kind.model for kind in KINDS} | {model for kind in KINDS for model, _ in kind.below}
    found = {model._meta.label for model in apps.get_models() if model not in known and not model._meta.proxy}
    assert found <= set(BOUNDED.split()), (
        "Write a kind for the rows, or name the table here if what people enter bounds it."
    )


def test_each_kind_has_its_own_name_and_a_rule() -> None:
    assert len(names_of(KINDS)) == len(KINDS)
    assert all(kind.rule and (kind.ended is None or kind.since) for kind in KINDS)


def test_a_prune_that_is_told_to_stop_ends_after_its_batch_and_the_next_one_goes_on() -> None:
    make_rows()
    stopped = prune(KINDS, now=timezone.now(), stop=lambda: True)
    assert (stopped.is_complete, stopped.total) == (False, 1)
    assert prune(KINDS, now=timezone.now()).is_complete
    assert Session.objects.get().session_key == "alive"
