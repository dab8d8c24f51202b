"""A backup holds the whole hub, is restored on each store as it was, and is refused where anything does not fit."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from core.retention.models import KindCount
from core.sealed_stream import Costs
from core.store import restoring
from core.store.copying import connect_as, table_digest
from core.store.restoring import database_of
from core.store.substrings import with_candidates
from core.store.unit_of_work import REGISTRY, restore_transaction
from core.tokens.services import issue_token
from federations.models import Federation, JobStatus, McpServer, SyncJob
from federations.services.index import rebuild_index
from federations.services.jobs import end_lapsed_jobs, take
from federations.services.start import start_sync
from fedhub import VERSION
from fedhub.backup import contents, restore
from fedhub.backup.contents import EXCLUDED, backup_models
from fedhub.backup.errors import BackupError
from fedhub.backup.make import Backup, make_backup
from fedhub.backup.restore import Restored, restore_backup
from fedhub.backup.verify import verify_backup
from peers.models import Dispatch, JournalEntry, Peer, ReceivedDispatch, SeenNonce
from peers.services.outbox.dispatch import create_dispatch
from peers.services.outbox.sweep import due_rows
from peers.services.trust.identity import beside_key, hub_identity
from peers.services.trust.log_reading import verify_own_log
from peers.services.trust.log_sealing import seal_log
from peers.services.trust.peers import outbound_key_of, set_outbound_key
from peers.services.trust.rotation import announce_key
from tests.api.peers.partner import OPERATOR, Partner, deliver
from tests.conftest import MakeFederation, MakeServer

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

ROOT = Path(__file__).parents[2]
PASSPHRASE = "correct horse battery"
UNWANTED = ("TEST_", "FEDHUB_", "MONGODB_URI")
CHEAP = Costs(iterations=1, lanes=1, memory_kib=8)
# The restore marks the peers, encrypts their keys again, and writes to the log.
WRITTEN_BY_RESTORE = {"peers.Peer", "peers.JournalEntry", "peers.LogBatch", "peers.FederationLog"}


@pytest.fixture
def alpha(settings: LazySettings, tmp_path: Path) -> Partner:
    """A partner; this hub has key files and a secrets key of its own."""
    settings.FEDHUB_KEY_PATH = tmp_path / "keys" / "hub_key"
    settings.FEDHUB_OIDC_KEY_PATH = tmp_path / "keys" / "oidc_key.pem"
    settings.FEDHUB_SECRETS_KEY = "the key of before"
    return Partner("https://alpha.example.org", b"a" * 32)


@pytest.fixture
def stored(alpha: Partner, make_federation: MakeFederation, make_server: MakeServer, client: Client) -> Federation:
    """A hub at work: a sync with a lease, a dispatch that waits, received work, a sealed log, a signed-in person."""
    announce_key(by=OPERATOR)
    federation = make_federation(tags=["prod", "ältere"])
    for number in range(3):
        make_server(federation, f"weather-{number}", tags=("team:ml",), num_tools=number)
    User.objects.create_superuser("admin", password=PASSPHRASE)
    client.login(username="admin", password=PASSPHRASE)
    set_outbound_key(alpha.approve(), "their-key", by=OPERATOR)
    create_dispatch(intent_id="i-1", target_server=alpha.url, by=OPERATOR)
    assert deliver(alpha, alpha.signed(dispatch_id="before")).status_code == 200
    take(start_sync(federation, by=OPERATOR).id)
    seal_log()
    return federation


def ignore(label: str, rows: int) -> None:
    """Take the place of a progress bar."""


def make(path: Path, *, with_keys: bool = True) -> Backup:
    return make_backup(path, PASSPHRASE, with_keys=with_keys, progress=ignore, costs=CHEAP)


def restored(path: Path, *, accept_new_key: bool = False) -> Restored:
    return restore_backup(path, PASSPHRASE, accept_new_key=accept_new_key, progress=ignore)


def wipe(*, with_keys: bool = True) -> None:
    """Leave what `migrate` leaves in a new database."""
    kept = ("contenttypes.ContentType", "auth.Permission")
    excluded: list[type[Model]] = [Session, *map(apps.get_model, EXCLUDED)]
    with restore_transaction():
        restoring._delete_rows([each for each in [*backup_models(), *excluded] if each._meta.label not in kept])
    if with_keys:
        for path in beside_key("next").parent.iterdir():
            path.unlink()


def sums() -> dict[str, tuple[int, str]]:
    """Return the number and digest of the rows of each table of a backup."""
    return {model._meta.label: table_digest(model, database_of(model)) for model in backup_models()}


def test_a_backup_is_restored_with_equal_digests_and_the_hub_works(
    stored: Federation, alpha: Partner, settings: LazySettings, tmp_path: Path
) -> None:
    key, url = hub_identity().public_key_b64, alpha.url
    token = issue_token("owner", scopes=["federations-read"], days=1)
    before = sums()
    made = make(path := tmp_path / "hub.backup")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {table.label: (table.rows, table.digest) for table in made.tables} == before
    assert PASSPHRASE.encode() not in path.read_bytes()
    assert verify_backup(path, PASSPHRASE, progress=ignore) == made

    wipe()
    settings.FEDHUB_SECRETS_KEY = "the key of after"
    written = restored(path).written_keys

    assert [each.name for each in written] == ["hub_key", "hub_key.next", "oidc_key.pem"][: len(written)]
    after = sums()
    assert {name for name in before if after[name] != before[name]} == WRITTEN_BY_RESTORE
    assert (SeenNonce.objects.count(), Session.objects.count()) == (0, 0)
    assert hub_identity().public_key_b64 == key
    peer = Peer.objects.get(server_url=url)
    assert outbound_key_of(peer) == "their-key"
    entry = JournalEntry.objects.get(kind="restored")
    assert entry.position > 0
    assert f"with {made.rows} rows" in entry.text
    verified = verify_own_log()
    assert verified.last is not None
    assert verified.last.position >= entry.position

    assert Client().login(username="admin", password=PASSPHRASE)
    newest = User.objects.order_by("-pk")[0].pk
    assert User.objects.create(username="newcomer").pk > newest
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert api.get("/api/v1/federations").json()["pagination"]["total"] == 1
    servers = McpServer.objects.all()
    name = servers[0].server_name
    assert name in {row.server_name for row in with_candidates(servers, [name])}
    assert with_candidates(servers, ["no such text"]).exists() == (connections[REGISTRY].vendor == "mongodb")
    assert rebuild_index() == 3
    assert len(api.get("/api/v1/search", {"query": "weather", "kind": "server"}).json()["results"]) == 3
    assert deliver(alpha, alpha.signed(dispatch_id="before")).status_code == 200


def test_the_version_in_a_backup_is_that_of_the_package() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()


def test_work_that_was_under_way_ends_or_goes_on(stored: Federation, tmp_path: Path) -> None:
    make(path := tmp_path / "hub.backup")
    wipe(with_keys=False)
    restored(path)

    later = timezone.now() + timedelta(days=1)
    SyncJob.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert end_lapsed_jobs() == 1
    assert SyncJob.objects.get().status == JobStatus.FAILED
    waiting = Dispatch.objects.get()
    assert waiting.pk in due_rows(Dispatch, now=later)
    assert '"dispatch_id":"' + waiting.pk in waiting.envelope


def test_an_envelope_that_came_after_the_backup_is_not_taken_in_twice(
    stored: Federation, alpha: Partner, tmp_path: Path
) -> None:
    make(path := tmp_path / "hub.backup")
    known, later = alpha.signed(dispatch_id="before"), alpha.signed(dispatch_id="after")
    assert deliver(alpha, later).status_code == 200
    wipe(with_keys=False)
    restored(path)

    refused = deliver(alpha, later)
    assert (refused.status_code, refused["Retry-After"]) == (425, "60")
    assert "restored from a backup" in refused.json()["message"]
    assert deliver(alpha, known).json()["message"] == "Already processed (idempotent)"
    assert list(ReceivedDispatch.objects.values_list("dispatch_id", flat=True)) == ["before"]

    call_command("peer", "allow-older", "--all", "--reason", "Compared with Alpha", stdout=StringIO())
    assert deliver(alpha, later).json()["accepted"] is True
    assert JournalEntry.objects.filter(text__contains="Compared with Alpha", peer_url=alpha.url).exists()


def test_a_restore_that_fails_leaves_nothing_and_can_be_repeated(
    stored: Federation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = make(path := tmp_path / "hub.backup")
    wipe(with_keys=False)
    # The sweeps of a hub that has just been set up count its rows.
    KindCount.objects.create(day=timezone.localdate(), kind="jobs", counted_at=timezone.now())
    empty = sums()

    def lose_a_row(model: type[Model], rows: Sequence[Model]) -> None:
        restoring.insert_rows(model, rows[: -1 if model is ReceivedDispatch else None])

    monkeypatch.setattr(restore, "insert_rows", lose_a_row)
    with pytest.raises(BackupError, match=r"does not hold peers\.ReceivedDispatch as the backup has it: 0 rows"):
        restored(path)
    assert sums() == empty
    monkeypatch.undo()
    assert restored(path).backup == expected


@pytest.mark.skipif(REGISTRY == DEFAULT_DB_ALIAS, reason="one transaction holds the restore on this store")
def test_a_killed_restore_into_mongodb_is_cleared_by_the_next_one(stored: Federation, tmp_path: Path) -> None:
    make(path := tmp_path / "hub.backup")
    wipe(with_keys=False)
    restoring._Marker().set()
    Federation.objects.bulk_create([Federation(display_name="Half", provider_type="aws_agentcore", provider_config={})])
    restored(path)
    assert list(Federation.objects.values_list("display_name", flat=True)) == ["AgentCore Prod"]
    assert not restoring._Marker().is_set()


def test_hubs_that_do_not_fit_are_refused_and_stay_as_they_are(
    stored: Federation, settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(path := tmp_path / "hub.backup")
    make(bare := tmp_path / "bare.backup", with_keys=False)
    with pytest.raises(BackupError, match=r"not empty: it has rows of .*Restore into a new database"):
        restored(path)
    wipe(with_keys=False)
    settings.FEDHUB_SERVER_URL = "http://127.0.0.1:8002"
    with pytest.raises(BackupError, match=r"is of http://127.0.0.1:8000, and this hub is http://127.0.0.1:8002"):
        restored(path)
    settings.FEDHUB_SERVER_URL = "http://127.0.0.1:8000"
    Path(settings.FEDHUB_KEY_PATH).write_bytes(b"x" * 32)
    with pytest.raises(BackupError, match=r"hub_key has another key than the backup. Move this file away"):
        restored(path)
    with pytest.raises(BackupError, match=r"has no keys, .* --accept-new-key"):
        restored(bare)
    here = contents.applied_migrations()
    monkeypatch.setattr(contents, "applied_migrations", lambda: here[1:])
    with pytest.raises(BackupError, match=r"file is whole.*migrations that this hub lacks.*manage.py migrate"):
        restored(path)
    monkeypatch.setattr(contents, "applied_migrations", lambda: (*here, "peers.9999_later"))
    with pytest.raises(BackupError, match=r"older than this hub.*peers\.9999_later.*upgrade as usual"):
        restored(path)
    monkeypatch.undo()
    assert not User.objects.exists()
    assert restored(bare, accept_new_key=True).unreadable == ()


def test_files_that_are_altered_or_cut_are_refused(stored: Federation, tmp_path: Path) -> None:
    make(path := tmp_path / "hub.backup")
    content = path.read_bytes()
    with pytest.raises(BackupError, match="exists already"):
        make(path)
    wipe(with_keys=False)
    step = max(1, len(content) // 60)
    for place in [*range(0, len(content), step), len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(BackupError):
            restored(path)
    for end in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(BackupError):
            restored(path)
    path.write_bytes(content)
    with pytest.raises(BackupError, match="passphrase is wrong"):
        verify_backup(path, "another passphrase", progress=ignore)
    assert not User.objects.exists()


@pytest.mark.skipif(
    connections[REGISTRY].vendor == "mongodb", reason="SecantusDB takes a snapshot session and keeps no moment"
)
def test_rows_that_are_written_while_a_backup_runs_are_not_in_it(stored: Federation, tmp_path: Path) -> None:
    before = sums()

    def write_meanwhile(label: str, rows: int) -> None:
        Peer.objects.update(notes=f"changed while {label} was read")
        User.objects.get_or_create(username="late")

    path = tmp_path / "hub.backup"
    made = make_backup(path, PASSPHRASE, with_keys=False, progress=write_meanwhile, costs=CHEAP)
    assert {table.label: (table.rows, table.digest) for table in made.tables} == before


def test_the_commands_ask_for_a_passphrase_and_restore_the_hub(stored: Federation, tmp_path: Path) -> None:
    secret, path, before, output = tmp_path / "passphrase", tmp_path / "hub.backup", sums(), StringIO()
    secret.write_text(PASSPHRASE + "\n")
    with pytest.raises(CommandError, match="--passphrase-file or FEDHUB_BACKUP_PASSPHRASE"):
        call_command("backup", path)
    call_command("backup", path, "--with-keys", passphrase_file=secret, stdout=output)
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []
    call_command("verify_backup", path, passphrase_file=secret, stdout=output)
    assert "The file is whole" in output.getvalue()
    wipe()
    call_command("restore", path, passphrase_file=secret, stdout=output)
    assert "The index holds 3 resources." in output.getvalue()
    assert {name for name, found in sums().items() if found != before[name]} == WRITTEN_BY_RESTORE


@pytest.fixture(scope="module")
def new_folder(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    """The folder of a new hub on SQLite, whose database is migrated."""
    folder = tmp_path_factory.mktemp("new")
    with django_db_blocker.unblock(), connect_as("new_hub", f"sqlite:///{folder / 'fedhub.sqlite3'}"):
        call_command("migrate", database="new_hub", interactive=False, verbosity=0)
    yield folder


@pytest.mark.skipif(connections[REGISTRY].vendor == "sqlite", reason="this store is the target")
def test_a_hub_moves_to_sqlite(stored: Federation, new_folder: Path, settings: LazySettings, tmp_path: Path) -> None:
    make(path := tmp_path / "hub.backup")
    before = sums()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)}
    own = {"DJANGO_SETTINGS_MODULE": "fedhub.settings", "FEDHUB_VAR_DIR": str(new_folder)}
    database = {"DATABASE_URL": f"sqlite:///{new_folder / 'fedhub.sqlite3'}", "FEDHUB_BACKUP_PASSPHRASE": PASSPHRASE}
    done = subprocess.run(
        [sys.executable, "manage.py", "restore", str(path)],
        env=inherited | own | database,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "The index holds 3 resources." in done.stdout
    assert (new_folder / "hub_key").read_bytes() == Path(settings.FEDHUB_KEY_PATH).read_bytes()
    with connect_as("new_hub", database["DATABASE_URL"]):
        there = {model._meta.label: table_digest(model, "new_hub") for model in backup_models()}
        assert {name for name in before if there[name] != before[name]} == WRITTEN_BY_RESTORE
