"""The setting FEDHUB_JWT_ISSUERS: what it means, what it refuses, and what the system checks say about it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from core.programs.issuers import Issuer, read_issuers
from tests.conftest import MakeUser

SCOPES = ("federations-read", "federations-write")
ENTRY: dict[str, Any] = {
    "issuer": "https://issuer.example",
    "audience": "https://hub.example",
    "user": "robot",
    "required_claims": {"sub": "build"},
    "scopes": ["federations-read"],
}


def read(*entries: Any) -> tuple[Issuer, ...]:
    return read_issuers(json.dumps(list(entries)), scopes=SCOPES)


def test_an_entry_becomes_an_issuer() -> None:
    assert read_issuers("", scopes=SCOPES) == ()
    (issuer,) = read(ENTRY | {"required_claims": {"sub": ["a", "b"], "k8s": {"namespace": "ci"}}})
    assert issuer.required_claims == {"sub": ["a", "b"], "k8s": {"namespace": ["ci"]}}
    assert (issuer.algorithms, issuer.jwks_url, issuer.max_age_seconds) == (frozenset({"RS256"}), "", 86_400)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "is not strict JSON: not JSON"),
        ('[{"issuer": "a", "issuer": "b"}]', "is not strict JSON: duplicate key"),
        ("{}", "must be a JSON array"),
        ("[1]", "[0] must be an object"),
    ],
)
def test_a_text_that_is_not_a_list_of_objects_stops_the_start(text: str, told: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="FEDHUB_JWT_ISSUERS") as refused:
        read_issuers(text, scopes=SCOPES)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"aud": "x"}, "[0] has unknown members: aud"),
        ({"user": None}, "[0].user must be a text"),
        ({"user": " robot"}, "[0].user must be a text"),
        ({"issuer": "issuer.example"}, "[0].issuer is not an http(s) URL"),
        ({"issuer": "https://issuer.example?x=1"}, "[0].issuer must have no query"),
        ({"jwks_url": "file:///etc/passwd"}, "[0].jwks_url is not an http(s) URL"),
        ({"audience": []}, "[0].audience must be a text or a non-empty array"),
        ({"algorithms": ["HS256"]}, "[0].algorithms has HS256; known are RS256, ES256, EdDSA"),
        ({"algorithms": ["none"]}, "[0].algorithms has none"),
        ({"scopes": ["root"]}, "[0].scopes has root; known are federations-read"),
        ({"scope_claims": {"groups": {"ops": ["root"]}}}, "[0].scope_claims.groups.ops has root"),
        ({"scope_claims": {"groups": ["ops"]}}, "[0].scope_claims must be an object of non-empty objects"),
        ({"required_claims": {}}, "[0].required_claims must be a non-empty object"),
        ({"required_claims": {"sub": 1}}, "[0].required_claims.sub must be a text or"),
        ({"required_claims": {"sub": {}}}, "[0].required_claims.sub must be a non-empty object"),
        ({"max_age_seconds": 59}, "[0].max_age_seconds must be a whole number from 60"),
        ({"max_age_seconds": True}, "[0].max_age_seconds must be a whole number"),
    ],
    ids=str,
)
def test_a_member_of_another_form_is_named_with_its_place(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(ENTRY | change)
    assert told in str(refused.value)


def test_missing_members_scopes_and_doubles_are_refused() -> None:
    for entries, told in (
        ([{"issuer": "https://a.example"}], "[0] lacks audience, user, required_claims"),
        ([{name: value for name, value in ENTRY.items() if name != "scopes"}], "[0] gives no scope"),
        ([ENTRY, ENTRY], "names an issuer twice"),
        ([ENTRY] * 21, "at most 20"),
    ):
        with pytest.raises(ImproperlyConfigured) as refused:
            read(*entries)
        assert told in str(refused.value)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("attributes", "found"),
    [(None, ["fedhub.E006"]), ({"is_active": False}, ["fedhub.E006"]), ({"is_superuser": True}, ["fedhub.W021"]),
     ({}, [])],
    ids=str,
)  # fmt: skip
def test_the_user_that_bounds_the_tokens_is_checked(
    settings: Settings, make_user: MakeUser, attributes: dict[str, Any] | None, found: list[str]
) -> None:
    if attributes is not None:
        make_user("robot", **attributes)
    settings.FEDHUB_JWT_ISSUERS = read(ENTRY)
    messages = run_checks(tags=["database"], databases=["default"])
    assert [message.id for message in messages] == found
    assert all(message.hint for message in messages)


def test_keys_over_plain_http_are_warned_of(settings: Settings) -> None:
    settings.DEBUG = False
    settings.FEDHUB_JWT_ISSUERS = read(ENTRY | {"jwks_url": "http://issuer.example/keys"})
    assert "fedhub.W022" in [message.id for message in run_checks(tags=["security"])]
    settings.FEDHUB_JWT_ISSUERS = read(ENTRY)
    assert "fedhub.W022" not in [message.id for message in run_checks(tags=["security"])]


def test_each_example_of_the_documents_is_a_valid_setting(settings: Settings) -> None:
    document = (settings.BASE_DIR / "docs" / "programs.md").read_text(encoding="utf-8")
    examples = re.findall(r"(?s)```json\n(.*?)```", document)
    examples += re.findall(r"(?m)^#FEDHUB_JWT_ISSUERS=(.*)$", (settings.BASE_DIR / ".env.example").read_text("utf-8"))
    found = [read_issuers(example, scopes=settings.OAUTH2_PROVIDER["SCOPES"]) for example in examples]
    assert [len(issuers) for issuers in found] == [1, 1, 1, 1]
