"""The copy of the registry into another database: it is equal, it can resume, and it spares a foreign database."""

from __future__ import annotations

import re
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from oauth2_provider.models import AccessToken
from pytest_django import DjangoDbBlocker

from core.store import copying
from core.store.copying import connect_as
from core.store.substrings import with_candidates
from core.store.unit_of_work import REGISTRY
from core.tokens.services import issue_token
from federations.models import Federation, FederationTag, McpServer
from federations.schedules.rule import Schedule
from federations.services.schedule import set_schedule
from peers.models import Dispatch, Peer
from tests.conftest import MakeFederation, MakeServer
from tests.stores.databases import variables_of_test_database

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

THERE = "there"


@pytest.fixture
def stored(make_federation: MakeFederation, make_server: MakeServer) -> Federation:
    """A federation with a schedule, more servers than one chunk holds, a peer and a dispatch to it; and a token."""
    federation = make_federation(tags=["prod", "ältere"])
    set_schedule(federation, Schedule(1800))
    for number in range(7):
        make_server(federation, f"server-{number}", tags=("team:ml", f"n:{number}"), num_tools=number)
    peer = Peer.objects.create(server_url="https://hub.example.com", callback_origins=["https://b.example.com"])
    Dispatch.objects.create(id="d-1", intent_id="i-1", intent_title="Größe", peer=peer, envelope='{"b": 1, "a": 2}')
    issue_token("owner", scopes=["federations-read"], days=1)
    return federation


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "CHUNK_ROWS", 3)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """A database with tables and nothing in them, made once: migrating takes longer than a test."""
    path = tmp_path_factory.mktemp("copy") / "empty.sqlite3"
    with django_db_blocker.unblock(), connect_as(THERE, f"sqlite:///{path}"):
        call_command("migrate", database=THERE, interactive=False, verbosity=0)
    return path


@pytest.fixture
def url(empty: Path, tmp_path: Path) -> str:
    """A database of its own for each test."""
    return f"sqlite:///{shutil.copy(empty, tmp_path / 'copy.sqlite3')}"


def copy(url: str, *options: str) -> str:
    """Run the command and return what it printed."""
    output = StringIO()
    call_command("copy_registry", "--to", url, *options, stdout=output)
    return output.getvalue()


def written(output: str) -> int:
    """Return how many rows a run wrote."""
    found = re.search(r"; (\d+) were written", output)
    assert found is not None, output
    return int(found[1])


def registry_rows(output: str) -> int:
    """Return the rows written into the registry's tables: Django's own are always put in place anew."""
    lines = [line.split() for line in output.splitlines() if line.startswith(("federations.", "peers."))]
    return sum(int(line[2]) for line in lines if len(line) == 4)


def test_copy_into_a_new_database_holds_every_row_with_its_columns(stored: Federation, tmp_path: Path) -> None:
    output = copy(url := f"sqlite:///{tmp_path / 'new.sqlite3'}")
    assert "Both databases hold the same" in output
    with connect_as(THERE, url):
        federation = Federation.objects.using(THERE).get()
        assert (federation.id, federation.external_id) == (stored.id, stored.external_id)
        tags = FederationTag.objects.using(THERE).order_by("position")
        assert list(tags.values_list("name", flat=True)) == ["prod", "ältere"]
        assert sorted(McpServer.objects.using(THERE).values_list("server_name", flat=True)) == [
            f"server-{number}" for number in range(7)
        ]
        # The index of substrings of the target has the copied rows.
        assert [row.server_name for row in with_candidates(McpServer.objects.using(THERE), ["ver-3"])] == ["server-3"]
        dispatch, peer = Dispatch.objects.using(THERE).get(), Peer.objects.using(THERE).get()
        assert (dispatch.intent_title, dispatch.envelope) == ("Größe", '{"b": 1, "a": 2}')
        assert (dispatch.peer_id, peer.callback_origins) == (peer.id, ["https://b.example.com"])


@pytest.mark.skipif(REGISTRY != "default", reason="users are not in the registry's database, so they do not move")
def test_users_and_tokens_go_along_between_relational_databases(stored: Federation, url: str) -> None:
    copy(url)
    with connect_as(THERE, url):
        for model in (User, AccessToken, Federation):
            here, there = (
                list(model._base_manager.using(using).order_by("pk").values()) for using in (REGISTRY, THERE)
            )
            assert here == there
            assert here
        assert User.objects.using(THERE).create(username="newcomer").pk > max(User.objects.values_list("pk", flat=True))


def test_second_run_writes_what_has_changed_since(stored: Federation, url: str) -> None:
    assert registry_rows(copy(url)) > 20
    assert registry_rows(copy(url)) == 0
    McpServer.objects.filter(server_name="server-3").update(description="changed", updated_at=timezone.now())
    assert registry_rows(copy(url)) == 1
    with connect_as(THERE, url):
        assert McpServer.objects.using(THERE).get(server_name="server-3").description == "changed"


def test_copy_cut_short_goes_on_where_it_stopped(stored: Federation, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = copying._write_changed
    calls = []

    def stop_after_some(*args: object) -> int:
        calls.append(args)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(copying, "_write_changed", stop_after_some)
    with pytest.raises(KeyboardInterrupt):
        copy(url)
    monkeypatch.setattr(copying, "_write_changed", whole)
    resumed = registry_rows(copy(url))
    rows = sum(model._base_manager.using(REGISTRY).count() for model in copying.registry_models())
    assert 0 < resumed < rows


def test_rows_that_are_not_here_are_refused_and_deleted_only_when_asked(stored: Federation, url: str) -> None:
    copy(url)
    McpServer.objects.filter(server_name="server-5").delete()
    with pytest.raises(CommandError, match=r"2 rows of federations\.McpServerTag that are not here.*--delete-surplus"):
        copy(url)
    copy(url, "--delete-surplus")
    with connect_as(THERE, url):
        assert McpServer.objects.using(THERE).count() == 6


@pytest.mark.skipif(REGISTRY != "default", reason="users are not in the registry's database, so they do not move")
def test_database_with_users_of_its_own_is_left_alone(stored: Federation, url: str) -> None:
    copy(url)
    with connect_as(THERE, url):
        User.objects.using(THERE).create(username="somebody-else")
    with pytest.raises(CommandError, match="1 users of its own"):
        copy(url)
    with connect_as(THERE, url):
        assert User.objects.using(THERE).filter(username="somebody-else").exists()


def test_a_difference_at_the_end_is_an_error_that_names_the_table(
    stored: Federation, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = copying._delete_or_refuse_surplus

    def change_meanwhile(model: type[copying.Row], *args: Any, **options: Any) -> None:
        settle(model, *args, **options)
        Peer.objects.update(notes="written while the copy ran")

    monkeypatch.setattr(copying, "_delete_or_refuse_surplus", change_meanwhile)
    with pytest.raises(CommandError, match=r"peers\.Peer differs: 1 rows .* run the copy again"):
        copy(url)


@pytest.mark.parametrize("address", ["", "nonsense", "oracle://a/b", "sqlite:////proc/nowhere/x.sqlite3"])
def test_address_that_leads_nowhere_is_an_error(address: str, db: None) -> None:
    with pytest.raises(CommandError):
        copy(address)


def test_database_is_not_copied_onto_itself(stored: Federation) -> None:
    used = variables_of_test_database()
    with pytest.raises(CommandError, match="uses already"):
        copy(used.get("MONGODB_URI") or used["DATABASE_URL"])
    assert Federation.objects.filter(id=stored.id).exists()
