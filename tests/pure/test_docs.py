"""The documents name files, links and terms that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PACKAGES = ("core", "federations", "peers", "fedhub", "sandbox", "tests", "docs", "templates", "benchmarks", "deploy")
PATH = re.compile(rf"`((?:{'|'.join(PACKAGES)})/[\w./-]*\w)/?`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_every_path_and_link_of_a_document_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    paths = {ROOT / path for path in PATH.findall(text)} | {document.parent / link for link in LINK.findall(text)}
    assert sorted(str(path) for path in paths if not path.exists()) == []


def test_every_decision_is_listed() -> None:
    decisions = ROOT / "docs" / "decisions"
    listed = set(LINK.findall((decisions / "README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in decisions.glob("[0-9]*.md")}


def test_the_glossary_has_a_term_once_and_in_one_line() -> None:
    rows = re.findall(r"(?m)^\| (.+?) \| (.+?) \|$", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))
    terms = [term for term, _ in rows if term not in ("Term", "---")]
    assert len(terms) > 60
    assert sorted(terms) == sorted(set(terms))
