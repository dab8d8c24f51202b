from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federations.search.repair import Repair, plan_repair


@pytest.mark.parametrize(
    ("stored", "indexed", "changed", "expected"),
    [
        pytest.param({}, {}, set(), Repair(), id="nothing at all"),
        pytest.param({"a": "1"}, {"a": "1"}, set(), Repair(), id="unchanged and up to date"),
        pytest.param({"a": "2"}, {"a": "1"}, set(), Repair(rebuild_with_delete=frozenset("a")), id="stale"),
        pytest.param({"a": "1"}, {}, set(), Repair(rebuild_missing=frozenset("a")), id="missing"),
        pytest.param({}, {"a": "1"}, set(), Repair(delete=frozenset("a")), id="surplus"),
        pytest.param(
            {"a": "1"}, {"a": "1"}, {"a"}, Repair(rebuild_with_delete=frozenset("a")), id="changed, same stamp"
        ),
        pytest.param({"a": "2"}, {"a": "1"}, {"a"}, Repair(rebuild_with_delete=frozenset("a")), id="changed and stale"),
        pytest.param({"a": "1"}, {}, {"a"}, Repair(rebuild_with_delete=frozenset("a")), id="changed and missing"),
        pytest.param({}, {"a": "1"}, {"a"}, Repair(delete=frozenset("a")), id="deleted by this sync"),
        pytest.param({}, {}, {"a"}, Repair(delete=frozenset("a")), id="deleted and without a stamp"),
    ],
)
def test_a_resource_is_repaired_by_its_state(
    stored: Mapping[str, str], indexed: Mapping[str, str], changed: set[str], expected: Repair
) -> None:
    assert plan_repair(stored, indexed, changed) == expected
    assert plan_repair(stored, indexed, changed).is_empty == (expected == Repair())


STAMPS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("123"))


@given(STAMPS, STAMPS, st.sets(st.sampled_from("abcdefgh")))
def test_a_repaired_index_needs_no_repair(stored: dict[str, str], indexed: dict[str, str], changed: set[str]) -> None:
    repair = plan_repair(stored, indexed, changed)
    parts = [repair.delete, repair.rebuild_with_delete, repair.rebuild_missing]
    assert sum(map(len, parts)) == len(frozenset().union(*parts))
    assert not repair.rebuild_missing & indexed.keys()
    after = {key: stamp for key, stamp in indexed.items() if key not in repair.delete}
    after |= {key: stored[key] for key in repair.rebuild_with_delete | repair.rebuild_missing}
    assert after == stored
    assert plan_repair(stored, after, set()).is_empty


@given(STAMPS, STAMPS)
def test_what_is_up_to_date_is_left_alone(stored: dict[str, str], indexed: dict[str, str]) -> None:
    repair = plan_repair(stored, indexed, set())
    current = {key for key in stored if indexed.get(key) == stored[key]}
    assert not current & (repair.delete | repair.rebuild_with_delete | repair.rebuild_missing)
