"""An upgrade of unfold that changes a template which the hub replaces fails here, with the steps to take."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import unfold
from django.conf import settings
from django.forms import Select
from django.forms.renderers import get_default_renderer
from django.utils.safestring import mark_safe

OURS = Path(settings.BASE_DIR) / "templates"
THEIRS = Path(unfold.__file__).parent / "templates"
# The SHA-256 of unfold's template on which each template of the hub is based. The templates below unfold/ are private
# to unfold and may change in each version.
ORIGINALS = {
    "admin/change_form_object_tools.html": "3238ce11ac58a883b006cd6ac68b30aa534bdce64dcff05fc1c08a5828206d31",
    "admin/index.html": "9fdb849b7da18ccde0e5dda1923465830718700726570ea70554bffe1f012115",
    "unfold/helpers/command.html": "ae6ce324d85366131fc82945b3c35c1b980829229508343993e6adcbee4c975d",
    "unfold/helpers/empty_results.html": "5f4727a37a99da76e245048c8c7d7307ded9fe749533b33410e38657a9b1ef7e",
    "unfold/helpers/header_title.html": "b126ed2ab9ca16802d6763f49a74ba37b5bab125e5ff1af52a1ed586982dd0f3",
    "unfold/helpers/pagination_default.html": "a6c793aea686e443a7fc8a42cb4197361b7789c912919609e2525aa1c65e23a0",
    "unfold/helpers/search.html": "91996c27181d14ade8b4cbf84d90a4b0d293fdd92ae4325cda0f6889c29e28fb",
    "unfold/helpers/userlinks.html": "b493fa5ca3595d28c6858f789f303c1797c34107dc60b2857ab6ce8585fc3914",
    "unfold/helpers/dialog.html": "e961b19a9a2f2175865055d503b887489cde423a7782b676cbe5ba2c9a1f3a35",
    "unfold/helpers/modal.html": "fa0832c6ded6a26b06ecc44499141e9e0c44cfea42a8665c6b786db175c4b416",
    "unfold/layouts/skeleton.html": "66af9f0bb45f98ba4e16ba5e5a11f36d87b8e07430d19066d088b29548491c2e",
    "unfold/widgets/select.html": "33286510ee2c7fb0148ce807f38acbefaae160cd16127e2a46aceeccf9a0bb93",
}


def test_each_template_that_replaces_one_of_unfold_is_recorded() -> None:
    """A template that extends the template of the same name does not replace it."""
    names = {str(path.relative_to(OURS)) for path in OURS.rglob("*.html")}
    extending = {name for name in names if f'{{% extends "{name}" %}}' in (OURS / name).read_text(encoding="utf-8")}
    replacing = {name for name in names - extending if (THEIRS / name).exists() or name.startswith("unfold/")}
    assert replacing == set(ORIGINALS)


def test_inputs_are_drawn_by_the_templates_of_the_hub() -> None:
    origin = get_default_renderer().get_template("unfold/widgets/select.html").origin.name
    assert Path(origin).is_relative_to(OURS)


def test_a_select_has_its_options_escaped_in_their_groups() -> None:
    choices = [("", "All"), ("North", [(1, "<Oslo>"), ("b", mark_safe("Bergen &amp; Voss"))])]
    page = Select(choices=choices)
    page.template_name = "unfold/widgets/select.html"
    text = " ".join(page.render("town", "b", attrs={"id": "town"}).split())
    assert (
        '<select name="town" id="town"> <option value="">All</option> <optgroup label="North"> '
        '<option value="1">&lt;Oslo&gt;</option> <option value="b" selected>Bergen &amp; Voss</option> '
        "</optgroup> </select>"
    ) in text


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_original_in_unfold_is_unchanged(name: str) -> None:
    original = THEIRS / name
    assert original.exists(), (
        f"unfold no longer has {name}. Find its replacement, then move or delete templates/{name}."
    )
    digest = hashlib.sha256(original.read_bytes()).hexdigest()
    assert digest == ORIGINALS[name], (
        f"This version of unfold changes {name}. Compare {original} with the file of the former version, copy useful "
        f"changes to templates/{name}, look at the pages that show it, then record the new digest: {digest}"
    )
