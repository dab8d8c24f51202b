"""Fetch a peer's manifest and DID document, by the guarded client, and store the keys found there as proposals.

Both documents must be about the server that was asked: a document with another server's id is refused. A redirect is
refused as well, and the client bounds bytes and seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from core.actors import Actor
from core.errors import ExternalServiceError
from core.net.client import TIMEOUT_SECONDS, TransportError, send
from core.net.url_grammar import split_url
from core.store.unit_of_work import retried, unit_of_work
from peers.models import JournalKind, KeyOrigin, KeyState, KeyWithdrawal, Peer, PeerKey
from peers.protocol import (
    FederationManifest,
    JsonObject,
    ProtocolError,
    VerificationKey,
    did_document_urls,
    is_same_did,
    is_same_origin,
    is_same_server,
    parse_json_object,
)
from peers.protocol.did_document import PublishedKeys, Withdrawal, read_published_keys
from peers.protocol.ed25519_keys import MAX_KEYS_TRIED
from peers.protocol.key_continuity import is_continued
from peers.services.trust.journal import note
from peers.services.trust.keys import store_proposed_key
from peers.services.trust.notices import note_withdrawal
from peers.services.trust.peer_addresses import MAX_URL

MANIFEST_PATH = "/.well-known/openintent-federation.json"
MAX_DOCUMENT_BYTES = 262_144
_ACCEPT = {"Accept": "application/json, application/did+json"}


@dataclass(frozen=True, slots=True)
class PeerDocuments:
    """The manifest and the DID document that this hub fetched from a peer, and the keys in the DID document.

    `published` holds the usable and the withdrawn keys of the DID document. `problem` says why none of the usable keys
    may be proposed, or is "". The withdrawals in `published` count even if there is a problem.
    """

    manifest: FederationManifest
    did_document: JsonObject
    published: PublishedKeys
    problem: str = ""

    @property
    def keys(self) -> tuple[VerificationKey, ...]:
        """Return the usable keys that may be proposed, at most three, in the order of the DID document."""
        return () if self.problem else self.published.usable[:MAX_KEYS_TRIED]


@dataclass(frozen=True, slots=True)
class FetchedKeys:
    """The result of `refresh_documents`: the stored rows of a peer's keys, with their present states.

    `keys` are the usable keys of the DID document, `new_keys` those of them that this hub did not know before.
    `withdrawn` are the known keys that the peer has withdrawn, in this fetch or before it.
    """

    keys: tuple[PeerKey, ...]
    new_keys: tuple[PeerKey, ...]
    withdrawn: tuple[PeerKey, ...] = ()


def fetch_documents(peer: Peer, *, now: datetime | None = None) -> PeerDocuments:
    """Fetch and return the peer's documents; call it outside of any transaction, because it makes HTTP requests.

    Keys that have expired at `now` are not usable. Raises ExternalServiceError for a document that cannot be fetched,
    is malformed, is another server's, or has no usable key.
    """
    documents = _read_documents(peer, now or timezone.now())
    if documents.problem:
        raise ExternalServiceError(documents.problem)
    return documents


def refresh_documents(peer: Peer, *, by: Actor | None, now: datetime) -> FetchedKeys:
    """Fetch the documents and store their new keys as proposals, which are not trusted.

    A new key that one of the pinned keys has signed is marked as continuous. A known key that the peer withdrew is
    marked as withdrawn, and staff decide about it: a pinned key stays pinned. The time of the attempt is stored before
    the fetch starts, so that a fetch that fails or never ends has a time too. Raises as `fetch_documents` does, except
    for a document without a usable key that withdraws a known key.
    """
    Peer.objects.filter(pk=peer.pk).update(documents_tried_at=now)
    try:
        documents = _read_documents(peer, now)
    except ExternalServiceError as exc:
        if by is not None:
            # A person's attempt leaves a trace; those of the schedule would fill the journal.
            text = f"The documents could not be fetched: {exc.message}"
            note(JournalKind.KEY, text, peer_url=peer.server_url, by=by)
        raise
    found = _store_findings(peer, documents, by=by, now=now)
    peer.documents_tried_at = peer.documents_fetched_at = now
    if documents.problem and (not found.withdrawn or documents.published.usable):
        raise ExternalServiceError(documents.problem)
    return found


@retried
def _store_findings(peer: Peer, documents: PeerDocuments, *, by: Actor | None, now: datetime) -> FetchedKeys:
    with unit_of_work():
        known = list(peer.keys.exclude(state=KeyState.REVOKED))
        withdrawn = [key for key in known if _note_withdrawal(key, documents.published, peer, by)]
        pinned = [row.verification_key for row in known if row.state == KeyState.PINNED]
        rows, new = [], []
        for key in documents.keys:
            is_continuous = is_continued(documents.did_document, peer.did, key, pinned)
            row, is_new = store_proposed_key(peer, key, origin=KeyOrigin.PUBLISHED, is_continuous=is_continuous)
            if row:
                rows.append(row)
            if row and is_new:
                new.append(row)
                text = f"Key seen in the DID document: {row.fingerprint}"
                note(JournalKind.KEY, text, peer_url=peer.server_url, by=by)
        Peer.objects.filter(pk=peer.pk).update(documents_fetched_at=now, ard_url=_ard_url(documents.manifest, peer))
    return FetchedKeys(tuple(rows), tuple(new), tuple(withdrawn))


def _ard_url(manifest: FederationManifest, peer: Peer) -> str:
    """Return the address of the peer's search, on the peer's own origin; "" for another one and without one."""
    path = manifest.endpoints.get("ard", "")
    url = peer.server_url.rstrip("/") + path
    is_short = path.startswith("/") and len(url) <= MAX_URL
    return url if is_short and is_same_origin(url, peer.server_url) else ""


def _note_withdrawal(key: PeerKey, published: PublishedKeys, peer: Peer, by: Actor | None) -> bool:
    """Store how the peer withdrew a known key, with a journal line for a change; tell whether the key is withdrawn.

    A proposed key that did not come from the DID document need not be in the document. A provisional key becomes
    proposed when the peer withdraws it, because staff have not compared it.
    """
    way = published.withdrawn.get(key.verification_key)
    was_published = key.state != KeyState.PROPOSED or key.origin == KeyOrigin.PUBLISHED
    if way is None and was_published and key.verification_key not in published.usable:
        way = Withdrawal.UNPUBLISHED
    withdrawal = KeyWithdrawal(way.value) if way else None
    if key.withdrawal != (withdrawal or ""):
        key.withdrawal = withdrawal or ""
        key.withdrawn_at = timezone.now() if withdrawal else None
        if withdrawal and key.state == KeyState.PROVISIONAL:
            key.state = KeyState.PROPOSED
        key.save(update_fields=["withdrawal", "withdrawn_at", "state"])
        text = f"Key {withdrawal.label}" if withdrawal else "Key published again"
        note(JournalKind.KEY, f"{text}: {key.fingerprint}", peer_url=peer.server_url, by=by)
        note_withdrawal(key)
    return bool(withdrawal)


def is_fetch_due(peer: Peer, *, now: datetime, interval: timedelta) -> bool:
    """Tell whether the last fetch of the peer's documents is at least `interval` ago, or none was made."""
    return peer.documents_fetched_at is None or peer.documents_fetched_at <= now - interval


def _read_documents(peer: Peer, now: datetime) -> PeerDocuments:
    manifest = _read_manifest(peer, _fetch(peer.server_url + MANIFEST_PATH))
    did_document = _fetch_did_document(peer)
    try:
        published = read_published_keys(did_document, peer.did, now=now.timestamp())
        announced = VerificationKey.from_base64(manifest.public_key) if manifest.public_key else None
    except ProtocolError as exc:
        raise ExternalServiceError(f"The DID document of {peer.server_url} is refused: {exc}") from exc
    problem = ""
    if not published.usable:
        problem = f"The DID document of {peer.server_url} is refused: {published.refusal}"
    elif announced and announced not in published.usable:
        problem = f"Manifest and DID document of {peer.server_url} name different keys"
    return PeerDocuments(manifest, did_document, published, problem)


def _fetch(url: str) -> JsonObject:
    try:
        answer = send(
            "GET",
            url,
            headers=_ACCEPT,
            allowed_networks=settings.FEDHUB_ALLOWED_NETWORKS,
            timeout_seconds=TIMEOUT_SECONDS,
            max_bytes=MAX_DOCUMENT_BYTES,
        )
    except TransportError as exc:
        raise ExternalServiceError(f"{url}: {exc.message}") from exc
    if answer.status != 200:
        raise ExternalServiceError(f"{url} answered {answer.status} instead of a document")
    try:
        return parse_json_object(answer.body)
    except ProtocolError as exc:
        raise ExternalServiceError(f"{url} is refused: {exc}") from exc


def _read_manifest(peer: Peer, found: JsonObject) -> FederationManifest:
    try:
        manifest = FederationManifest.from_dict(found)
    except ProtocolError as exc:
        raise ExternalServiceError(f"The manifest of {peer.server_url} is refused: {exc}") from exc
    if not is_same_server(manifest.server_url, peer.server_url):
        raise ExternalServiceError(f"The manifest at {peer.server_url} names the server {manifest.server_url[:200]!r}")
    if not is_same_did(manifest.server_did, peer.did):
        raise ExternalServiceError(f"The manifest at {peer.server_url} names the DID {manifest.server_did[:200]!r}")
    return manifest


def _fetch_did_document(peer: Peer) -> JsonObject:
    """Return the document at the URL that did:web defines, else at the URL that OpenIntent uses."""
    first, *others = did_document_urls(peer.did, scheme=split_url(peer.server_url).scheme)
    try:
        return _fetch(first)
    except ExternalServiceError:
        if not others:
            raise
    return _fetch(others[0])
