"""Keys that their owner withdrew: staff see them, and none of them is offered for approval."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.errors import ConflictError, ExternalServiceError
from peers.models import JournalEntry, KeyOrigin, KeyState, PeerKey
from peers.protocol import JsonObject
from peers.services.trust.key_refresh import refresh_peer_keys
from peers.services.trust.keys import approve_key, propose_key
from peers.services.trust.peer_documents import refresh_documents
from peers.services.trust.peers import add_peer, approve_peer, valid_keys
from tests.app.peers.staff.conftest import KEY, NEXT_KEY, OPERATOR, OTHER_KEY, Partner


def withdrawn(partner: Partner, way: str) -> JsonObject:
    """Return a document that withdraws KEY in this way."""
    document = partner.did_document(KEY)
    methods: Any = document["verificationMethod"]
    method: JsonObject = methods[0]
    if way == "removed":
        return partner.did_document(NEXT_KEY)
    if way == "removed without another":
        return document | {"verificationMethod": [], "authentication": [], "assertionMethod": []}
    if way == "other types":
        return document | {"verificationMethod": [method | {"type": "EcdsaSecp256k1VerificationKey2019"}]}
    if way == "deactivated":
        return document | {"deactivated": True}
    return document | {"verificationMethod": [method | {way: "2020-01-01T00:00:00Z"}]}


WAYS = {
    "removed": "no longer published",
    "removed without another": "no longer published",
    "other types": "no longer published",
    "revoked": "revoked",
    "deactivated": "revoked",
    "expires": "expired",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_daily", [True, False])
def test_a_pinned_key_that_its_owner_withdrew_is_shown_and_stays_pinned(
    partner: Partner, admin: Client, way: str, is_daily: bool
) -> None:
    peer = partner.approved(KEY)
    partner.publish(did=withdrawn(partner, way))
    out = io.StringIO()

    if is_daily:
        refresh_peer_keys(peer.pk, timezone.now())
    else:
        call_command("peer", "fetch", partner.url, stdout=out)
        assert WAYS[way] in " ".join(out.getvalue().split())

    key = peer.keys.get(public_key=KEY.verification_key.base64)
    assert (key.state, key.get_withdrawal_display()) == (KeyState.PINNED, WAYS[way])
    assert valid_keys(peer, timezone.now()) == [KEY.verification_key]
    journal = [line.text for line in JournalEntry.objects.filter(peer_url=peer.server_url)]
    assert f"Key {WAYS[way]}: {key.fingerprint}" in journal
    shown = io.StringIO()
    call_command("peer", "show", partner.url, stdout=shown)
    assert WAYS[way] in " ".join(shown.getvalue().split())
    page = admin.get(reverse("admin:peers_peer_change", args=[peer.pk])).content.decode()
    assert f'is <strong class="font-semibold">{WAYS[way]}</strong>' in page
    assert WAYS[way] in admin.get(reverse("admin:index")).content.decode()
    found = admin.get(reverse("admin:peers_peer_changelist"), {"look": "withdrawn"}).content.decode()
    assert partner.url in found


def test_a_withdrawal_is_noted_once_and_again_when_it_ends(partner: Partner) -> None:
    peer = partner.approved(KEY)
    partner.publish(NEXT_KEY)
    for _ in range(2):
        refresh_documents(peer, by=OPERATOR, now=timezone.now())
    partner.publish(KEY)
    refresh_documents(peer, by=OPERATOR, now=timezone.now())

    fingerprint = peer.keys.get(public_key=KEY.verification_key.base64).fingerprint
    lines = [line.text for line in JournalEntry.objects.filter(kind="key") if line.text.endswith(fingerprint)]
    texts = [line.partition(":")[0] for line in lines]
    assert (texts.count("Key no longer published"), texts.count("Key published again")) == (1, 1)
    assert peer.keys.get(public_key=KEY.verification_key.base64).withdrawal == ""


@pytest.mark.parametrize("way", ["revoked", "deactivated", "expires"])
def test_a_withdrawn_key_is_never_proposed(partner: Partner, way: str) -> None:
    peer = partner.approved(OTHER_KEY)
    partner.publish(did=withdrawn(partner, way))

    refresh_documents(peer, by=OPERATOR, now=timezone.now())

    assert [key.public_key for key in peer.keys.all()] == [OTHER_KEY.verification_key.base64]


@pytest.mark.parametrize("way", ["removed", "revoked", "deactivated", "expires"])
def test_a_proposed_key_that_is_withdrawn_is_not_offered_for_approval(
    partner: Partner, admin: Client, way: str
) -> None:
    peer = partner.approved(OTHER_KEY)
    partner.publish(KEY, OTHER_KEY)
    refresh_documents(peer, by=OPERATOR, now=timezone.now())
    key = peer.keys.get(public_key=KEY.verification_key.base64)
    partner.publish(did=partner.did_document(OTHER_KEY) if way == "removed" else withdrawn(partner, way))
    refresh_documents(peer, by=OPERATOR, now=timezone.now())

    for row in (key, PeerKey.objects.get(pk=key.pk)):
        with pytest.raises(ConflictError, match=f"{WAYS[way]}|has changed"):
            approve_key(row, overlap_days=0, by=OPERATOR)
    page = admin.get(reverse("admin:peers_peerkey_change", args=[key.pk])).content.decode()
    assert "/approve" not in page
    assert "A different key waits" not in admin.get(reverse("admin:peers_peer_change", args=[peer.pk])).content.decode()


def test_a_peer_is_not_approved_with_a_withdrawn_key(partner: Partner, admin: Client) -> None:
    peer = add_peer(partner.url, by=OPERATOR)
    partner.publish(KEY)
    refresh_documents(peer, by=OPERATOR, now=timezone.now())
    partner.publish(did=withdrawn(partner, "revoked"))
    refresh_documents(peer, by=OPERATOR, now=timezone.now())

    with pytest.raises(ConflictError, match="revoked: its owner withdrew it"):
        approve_peer(peer, key_fingerprint=KEY.verification_key.fingerprint, by=OPERATOR)
    page = admin.get(reverse("admin:peers_peer_approve", args=[peer.pk])).content.decode()
    assert peer.keys.get().fingerprint not in page


def test_a_key_that_staff_entered_need_not_be_published_before_it_is_pinned(partner: Partner) -> None:
    peer = add_peer(partner.url, by=OPERATOR)
    propose_key(peer, KEY.verification_key, origin=KeyOrigin.ENTERED, by=OPERATOR)
    partner.publish(NEXT_KEY)

    refresh_documents(peer, by=OPERATOR, now=timezone.now())

    assert peer.keys.get(public_key=KEY.verification_key.base64).withdrawal == ""


def test_a_document_without_a_key_of_ours_is_refused_with_its_types(partner: Partner) -> None:
    peer = add_peer(partner.url, by=OPERATOR)
    partner.publish(did=withdrawn(partner, "other types"))

    with pytest.raises(ExternalServiceError, match="EcdsaSecp256k1VerificationKey2019"):
        refresh_documents(peer, by=OPERATOR, now=timezone.now())


def test_a_withdrawal_is_noted_although_the_manifest_names_the_old_key(partner: Partner) -> None:
    peer = partner.approved(KEY)
    partner.publish(
        manifest=partner.manifest(public_key=KEY.verification_key.base64), did=partner.did_document(NEXT_KEY)
    )

    with pytest.raises(ExternalServiceError, match="different keys"):
        refresh_documents(peer, by=OPERATOR, now=timezone.now())

    assert peer.keys.get().withdrawal == "unpublished"
