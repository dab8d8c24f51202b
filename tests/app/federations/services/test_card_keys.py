"""Pinned keys of agent cards: an agent's verdict follows the card at each sync, and the keys at each change."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_httpserver import HTTPServer

from core.actors import Actor
from core.errors import ConflictError, ExternalServiceError, InvalidRequestError
from federations.models import A2aAgent, CardKeyPin, Federation
from federations.services.card_checks import check_due_cards, fetch_pinned
from federations.services.card_keys import fetch_card_keys, pin_card_key, retire_card_key
from federations.services.run import run_sync
from federations.services.start import start_sync
from tests.conftest import MakeAgent, MakeFederation
from tests.findings import agent
from tests.memory_hub import provider
from tests.memory_provider import MemoryProvider
from tests.pure.sync.signed_cards import CARD, key_pair, public, signed
from tests.stores.counting import counted_queries

pytestmark = pytest.mark.django_db

ME = Actor("1", "ada")


def sync(federation: Federation, *cards: dict[str, Any], version: str = "1") -> None:
    found = [agent(f"planner_{number}", version=version) for number in range(len(cards))]
    findings = [replace(each, card=replace(each.card, raw=card)) for each, card in zip(found, cards, strict=True)]
    with provider(MemoryProvider(findings=findings)):
        run_sync(start_sync(Federation.objects.get(pk=federation.pk), by=ME).pk)


def states() -> list[tuple[str, str]]:
    rows = A2aAgent.objects.order_by("path")
    return [(row.signature_state, row.signature_key_name) for row in rows]


@pytest.mark.django_db(transaction=True)
def test_a_verdict_follows_the_card_and_the_keys(federation: Federation, make_federation: MakeFederation) -> None:
    key = key_pair()
    card = signed(key)
    sync(federation, card, {**card, "version": "2"}, CARD)
    assert states() == [("unknown_key", ""), ("unknown_key", ""), ("unsigned", "")]

    elsewhere = pin_card_key(name="Other", jwk=json.dumps(public(key)), federation=make_federation("B"), by=ME)
    assert check_due_cards() == 3
    assert states() == [("unknown_key", ""), ("unknown_key", ""), ("unsigned", "")]
    retire_card_key(elsewhere, by=ME, reason="Not theirs")

    pin = pin_card_key(name="Routes", jwk=json.dumps(public(key)), federation=federation, by=ME)
    before = A2aAgent.objects.values_list("updated_at", flat=True).order_by("path")[0]
    assert check_due_cards() == 3
    assert states() == [("verified", "Routes"), ("bad", "Routes"), ("unsigned", "")]
    assert A2aAgent.objects.values_list("updated_at", flat=True).order_by("path")[0] == before
    assert check_due_cards() == 0

    sync(federation, {**card, "name": "Planner"}, card, card, version="2")
    assert states() == [("bad", "Routes"), ("verified", "Routes"), ("verified", "Routes")]

    retire_card_key(pin, by=ME, reason="The provider rotated it")
    with pytest.raises(ConflictError):
        retire_card_key(pin, by=ME, reason="again")
    check_due_cards()
    assert {state for state, _ in states()} == {"unknown_key"}
    written = LogEntry.objects.filter(content_type__model="cardkeypin", object_pk=pin.pk)
    assert sorted(entry.action for entry in written) == [LogEntry.Action.CREATE, LogEntry.Action.UPDATE]


def test_a_check_costs_no_query_more_for_more_cards(federation: Federation, make_agent: MakeAgent) -> None:
    key = key_pair()
    pin_card_key(name="Routes", jwk=json.dumps(public(key)), by=ME)
    counts = []
    for names in (("a",), ("b", "c", "d")):
        for name in names:
            make_agent(federation, name, card=signed(key))
        with counted_queries() as queries:
            check_due_cards()
        counts.append(len([query for query in queries if not query.startswith("UPDATE")]))
    assert counts[0] == counts[1]
    assert states() == [("verified", "Routes")] * 4


def test_a_set_is_fetched_by_a_worker_and_again_only_when_staff_ask(
    federation: Federation, make_agent: MakeAgent, httpserver: HTTPServer, settings: LazySettings
) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    key, following = key_pair(), key_pair("ES256", kid="key-2")
    make_agent(federation, "now", card=signed(key))
    make_agent(federation, "then", card=signed(following, "ES256"))
    httpserver.expect_ordered_request("/jwks.json").respond_with_json({"keys": [public(key)]})
    httpserver.expect_ordered_request("/jwks.json").respond_with_json({"keys": []})
    httpserver.expect_ordered_request("/jwks.json").respond_with_json({"keys": [public(key), public(following)]})
    pin = pin_card_key(name="Routes", jwks_url=httpserver.url_for("/jwks.json"), by=ME)

    fetch_pinned(pin.pk)
    check_due_cards()
    assert states() == [("verified", "Routes"), ("unknown_key", "")]
    with pytest.raises(ExternalServiceError):
        fetch_card_keys(pin)
    pin.refresh_from_db()
    assert ("no usable key" in pin.fetch_error, len(pin.jwks)) == (True, 1)
    assert fetch_card_keys(pin) == 2
    check_due_cards()
    assert {state for state, _ in states()} == {"verified"}


def test_what_is_no_public_key_and_no_permitted_address_is_refused() -> None:
    private = key_pair().export_private()
    wrong: tuple[dict[str, Any], ...] = (
        {},
        {"jwk": private},
        {"jwk": "{"},
        {"jwks_url": "http://10.0.0.1/jwks.json"},
        {"jwk": "{}", "jwks_url": "x"},
    )
    for values in wrong:
        with pytest.raises(InvalidRequestError):
            pin_card_key(name="Routes", by=ME, **values)
    assert not CardKeyPin.objects.exists()


def test_staff_pin_a_key_see_the_verdict_and_retire_the_key(
    federation: Federation, make_agent: MakeAgent, client: Client
) -> None:
    user = User.objects.create_superuser("root")
    client.force_login(user)
    key = key_pair()
    found = make_agent(federation, "planner", card=signed(key))
    typed = {
        "name": "Routes",
        "jwk": key.export_private(),
        "jwks_url": "",
        "federation": "",
        "organization": "",
        "note": "",
    }
    refused = client.post(reverse("admin:federations_cardkeypin_add"), typed)
    assert "private or shared key" in refused.content.decode()
    answer = client.post(reverse("admin:federations_cardkeypin_add"), typed | {"jwk": json.dumps(public(key))})
    assert answer.status_code == 302
    check_due_cards()
    page = client.get(reverse("admin:federations_a2aagent_change", args=[found.pk])).content.decode()
    assert "verified by the pinned key Routes" in page
    listed = client.get(reverse("admin:federations_a2aagent_changelist"), {"signature_state__exact": "verified"})
    assert "planner" in listed.content.decode()
    pin = CardKeyPin.objects.get()
    assert pin.created_by_name == "root"
    reader = User.objects.create_user("ines", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_cardkeypin"))
    other = Client()
    other.force_login(reader)
    retire = reverse("admin:federations_cardkeypin_retire", args=[pin.pk])
    other.post(retire, {"reason": "No", "_form_submitted": "True"})
    assert CardKeyPin.objects.get().retired_at is None
    client.post(retire, {"reason": "The provider rotated it", "_form_submitted": "True"})
    assert CardKeyPin.objects.get().retired_reason == "The provider rotated it"
    for name, keys in (("changelist", []), ("change", [pin.pk])):
        assert "&lt;time" not in client.get(reverse(f"admin:federations_cardkeypin_{name}", args=keys)).content.decode()
