"""The model in a folder, and what becomes of a search whose model cannot be loaded."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytest_django import Settings

from federations.checks import check_embedding_model
from federations.search import registry
from federations.search.base import SearchQuery
from federations.search.embedding import BATCH, OnnxModel
from federations.search.model_folder import ModelError, problem_of
from federations.search.registry import model_problem, search_index
from fedhub.health import OK, Readiness
from fedhub.readiness import check_index
from tests.app.federations.search import catalog
from tests.app.federations.search.models import GROUPS, BagOfWords, write_model

ROOT = Path(__file__).parents[4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


@pytest.fixture
def hub(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """The settings of a hub with an index of its own and no model so far; no model of another test is kept."""
    settings.WEAVIATE_URL = ""
    settings.SEARCH_PATH = str(tmp_path / "search.sqlite3")
    settings.FEDHUB_EMBEDDING_MODEL = ""
    yield settings
    registry._index_at.cache_clear()
    registry._meaning_of.cache_clear()


def test_a_model_in_a_folder_makes_the_vectors_of_its_words(folder: Path) -> None:
    texts = ["Debts of a person", "nothing known", "", "sky " * 300, *("invoice " * number for number in range(50))]
    assert len(texts) > 2 * BATCH
    made = OnnxModel(folder).embed(texts)
    assert made.shape == (len(texts), len(GROUPS))
    np.testing.assert_allclose(made, BagOfWords().embed(texts), atol=1e-6)


def test_no_text_and_any_text_can_be_embedded(folder: Path) -> None:
    model = OnnxModel(folder)
    assert len(model.embed([])) == 0
    assert model.embed(["debt \ud800\x00"]).tolist() == model.embed(["invoice"]).tolist()


def test_another_model_has_another_name(folder: Path, tmp_path: Path) -> None:
    other = OnnxModel(write_model(tmp_path / "other", (*GROUPS, ("else",))))
    again = OnnxModel(write_model(tmp_path / "again"))
    assert OnnxModel(folder).name == again.name != other.name


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_folder_without_a_file_or_with_a_broken_one_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"not a model")
    assert problem_of(folder) == ""
    with pytest.raises(ModelError, match="the model cannot be used"):
        OnnxModel(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"the folder lacks {name}"):
        OnnxModel(folder)


def test_the_setting_makes_the_index_find_by_meaning(hub: Settings, folder: Path) -> None:
    search_index().replace(catalog.ALL)
    assert search_index().search(SearchQuery("debts")).total == 0
    hub.FEDHUB_EMBEDDING_MODEL = str(folder)
    search_index().replace(catalog.ALL)
    assert search_index().search(SearchQuery("debts")).total > 0
    assert search_index() is search_index()
    assert model_problem() == check_index() == ""
    assert check_embedding_model(None) == []


def test_a_model_that_cannot_be_loaded_leaves_the_search_by_words(
    hub: Settings, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "model.onnx").write_bytes(b"not a model")
    hub.FEDHUB_EMBEDDING_MODEL = str(folder)
    with caplog.at_level(logging.ERROR, registry.logger.name):
        search_index().replace(catalog.ALL)
    assert "searches find by words alone" in caplog.text
    assert search_index().search(SearchQuery("invoice")).total == 4
    result = Readiness({"index": check_index}).results()["index"]
    assert result.startswith(f"{OK}: searches find by words alone, FEDHUB_EMBEDDING_MODEL: the model cannot be used")
    assert str(folder) not in result


def test_a_folder_that_is_not_there_is_warned_of(hub: Settings, tmp_path: Path) -> None:
    hub.FEDHUB_EMBEDDING_MODEL = str(tmp_path / "nowhere")
    (warning,) = check_embedding_model(None)
    assert warning.id == "federations.W002"
    assert "lacks model.onnx and tokenizer.json" in warning.msg
    search_index().replace(catalog.ALL)
    assert search_index().search(SearchQuery("invoice")).total == 4


def test_missing_packages_are_warned_of(hub: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.FEDHUB_EMBEDDING_MODEL = str(folder)
    # What Python does if a package is not installed.
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "federations.search.embedding")
    monkeypatch.setattr("federations.search.model_folder.find_spec", lambda name: name != "onnxruntime" or None)
    (warning,) = check_embedding_model(None)
    assert "the packages of the extra meaning are missing: onnxruntime" in warning.msg
    search_index().replace(catalog.ALL)
    assert search_index().search(SearchQuery("invoice")).total == 4
    assert model_problem() == "the extra meaning is not installed: onnxruntime"


@pytest.mark.parametrize(("name", "value"), [("WEAVIATE_URL", "http://127.0.0.1:9"), ("SEARCH_PATH", "memory")])
def test_a_model_that_no_search_uses_is_warned_of(hub: Settings, folder: Path, name: str, value: str) -> None:
    hub.FEDHUB_EMBEDDING_MODEL = str(folder)
    setattr(hub, name, value)
    assert [warning.id for warning in check_embedding_model(None)] == ["federations.W001"]
    assert model_problem() == ""


def test_without_a_model_nothing_of_the_extra_is_imported(tmp_path: Path) -> None:
    script = """
import sys
import django
django.setup()
from federations.search.base import SearchQuery
from federations.search.registry import model_problem, search_index
from tests.app.federations.search import catalog
search_index().replace(catalog.ALL)
assert search_index().search(SearchQuery("invoice")).total == 4
assert model_problem() == ""
print(sorted({"numpy", "onnxruntime", "tokenizers", "federations.search.meaning"} & set(sys.modules)))
"""
    environment = {
        "DJANGO_SETTINGS_MODULE": "fedhub.settings",
        "FEDHUB_VAR_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
