"""JSON of runtimes on admin pages."""

from __future__ import annotations

import json
from functools import reduce

from federations.admin.catalog_view import as_json
from federations.sync.resources import Json


def test_json_is_indented_without_character_escapes() -> None:
    assert as_json({"type": "objet résumé"}) == '{\n  "type": "objet résumé"\n}'


def test_deep_nesting_does_not_multiply_the_size_of_a_page() -> None:
    numbers: Json = [1] * 20_000
    nested = reduce(lambda inner, _: {"a": inner}, range(55), numbers)
    assert len(as_json(nested)) < 2 * len(json.dumps(nested))
