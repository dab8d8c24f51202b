"""How what runtimes offer is shown."""

from __future__ import annotations

import json
from functools import reduce

from federations.admin.catalog_view import as_json
from federations.sync.resources import Json


def test_json_is_indented_with_its_characters_as_they_are() -> None:
    assert as_json({"type": "objet résumé"}) == '{\n  "type": "objet résumé"\n}'


def test_deep_nesting_cannot_blow_up_a_page() -> None:
    numbers: Json = [1] * 20_000
    nested = reduce(lambda inner, _: {"a": inner}, range(55), numbers)
    assert len(as_json(nested)) < 2 * len(json.dumps(nested))
