"""The hub's own intents over the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from peers.models import Intent
from tests.api.contract import TIME
from tests.conftest import Api
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db

INTENTS = "/api/v1/intents"
BODY = {
    "title": "Research task",
    "description": "Analyze\nthe data",
    "state": {"phase": "draft", "count": 3},
    "constraints": {"deadline": None},
}


@pytest.fixture
def writer(api: Api, owner: User) -> Any:
    return api(owner, "peers-read peers-write")


def test_an_intent_is_stored_shown_and_listed(writer: Any) -> None:
    created = writer.post(INTENTS, BODY, format="json")
    assert created.status_code == 201
    shown = created.json()
    assert {name: shown[name] for name in BODY} == BODY
    assert (shown["status"], shown["is_received"], shown["created_by"]) == ("active", False, "owner")
    assert TIME.match(shown["created_at"])
    assert TIME.match(shown["updated_at"])
    assert writer.get(f"{INTENTS}/{shown['id']}").json() == shown
    assert writer.get(INTENTS).json() == {
        "intents": [shown],
        "pagination": {"total": 1, "page": 1, "perPage": 20, "totalPages": 1},
    }


def test_a_title_is_enough(writer: Any) -> None:
    shown = writer.post(INTENTS, {"title": "x"}, format="json").json()
    assert (shown["description"], shown["state"], shown["constraints"]) == ("", {}, {})


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"title": ...}, "title", "This field is required."),
        ({"title": None}, "title", "This field may not be null."),
        ({"title": ""}, "title", "This field may not be blank."),
        ({"title": 7}, "title", "Not a valid string."),
        ({"title": "x" * 501}, "title", "Ensure this field has no more than 500 characters."),
        ({"description": None}, "description", "This field may not be null."),
        ({"description": []}, "description", "Not a valid string."),
        ({"description": "x" * 100_001}, "description", "Ensure this field has no more than 100000 characters."),
        ({"state": []}, "state", "Must be a JSON object."),
        ({"state": None}, "state", "This field may not be null."),
        ({"constraints": "x"}, "constraints", "Must be a JSON object."),
    ],
)
def test_a_wrong_field_is_named(writer: Any, changes: dict[str, Any], field: str, message: str) -> None:
    body = {name: value for name, value in (BODY | changes).items() if value is not ...}
    response = writer.post(INTENTS, body, format="json")
    assert response.status_code == 422
    errors = [{"field": field, "message": message}]
    assert response.json() == {"detail": errors, "message": f"{field}: {message}", "errors": errors}
    assert not Intent.objects.exists()


@pytest.mark.parametrize("intent_id", ["x", "0" * 24, "%00", "x" * 500, "..", "%F0%9F%92%A9"])
def test_an_unknown_intent_is_not_found(writer: Any, intent_id: str) -> None:
    response = writer.get(f"{INTENTS}/{intent_id}")
    assert response.status_code == 404
    assert response.json() == {"detail": "Intent not found", "message": "Intent not found"}


def test_reading_and_writing_need_their_scopes(api: Api, owner: User) -> None:
    reader, writer = api(owner, "peers-read"), api(owner, "peers-write")
    others = api(owner, "federations-read federations-write system-ops")
    assert reader.post(INTENTS, BODY, format="json").status_code == 403
    assert writer.get(INTENTS).status_code == 403
    assert others.get(INTENTS).status_code == others.post(INTENTS, BODY, format="json").status_code == 403
    assert api().get(INTENTS).status_code == api().post(INTENTS, BODY, format="json").status_code == 401
    assert not Intent.objects.exists()
    assert writer.post(INTENTS, BODY, format="json").status_code == 201
    assert reader.get(INTENTS).json()["pagination"]["total"] == 1


def test_a_list_is_paged_newest_first_in_a_fixed_number_of_queries(writer: Any) -> None:
    for number in range(25):
        writer.post(INTENTS, {"title": f"Task {number}"}, format="json")
    with counted_queries() as queries:
        page = writer.get(INTENTS, {"per_page": 10, "page": 2}).json()
    assert [intent["title"] for intent in page["intents"]] == [f"Task {number}" for number in range(14, 4, -1)]
    assert page["pagination"] == {"total": 25, "page": 2, "perPage": 10, "totalPages": 3}
    # Two of them read the roles of the token's user and of the user's groups.
    assert len(queries) <= 7
    for query in ("page=0", "page=x", "per_page=101", "page=1&page=2"):
        assert_refused = writer.get(f"{INTENTS}?{query}")
        assert assert_refused.status_code == 422
        assert assert_refused.json()["message"].startswith(("page: ", "per_page: "))
