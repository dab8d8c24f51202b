"""The requests of the federation clients: their URL, their credentials and their signature."""

import httpx

from core.net.url_grammar import is_same_origin, normalize_server_url, split_url
from core.strict_json import JsonObject
from peers.client.federation_calls import Call, envelope_call
from peers.protocol.compat import MessageSignature, unix_now
from peers.protocol.enums import CallbackEventType
from peers.protocol.envelope_signatures import sign_envelope
from peers.protocol.hub_identity import HubIdentity
from peers.protocol.json_fields import without_falsy
from peers.protocol.timestamps import format_timestamp


class RequestBuilder:
    """Makes signed httpx requests from calls, for FederationClient and AsyncFederationClient."""

    def __init__(self, base_url: str, api_key: str | None, identity: HubIdentity | None) -> None:
        self.base_url = normalize_server_url(base_url)
        self.identity = identity
        self._api_key = api_key

    def build(self, http: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Request:
        """Return the signed request; the signature covers the URL as httpx writes it."""
        url = httpx.URL(self.base_url + call.target if call.target.startswith("/") else call.target)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"} | call.headers
        if self._api_key and is_same_origin(self.base_url, str(url)):
            headers["X-API-Key"] = self._api_key
        if self.identity is not None:
            signature = MessageSignature.create(self.identity, call.method, str(url), body=call.body)
            headers |= signature.request_headers()
        elif call.payload is not None:
            headers["Content-Type"] = "application/json"
        return http.build_request(call.method, url, headers=headers, content=call.body or None)

    def receive_call(self, envelope: JsonObject, optional: JsonObject) -> Call:
        """Return the call that delivers an envelope; a client with an identity adds target, time and signature."""
        envelope = envelope | without_falsy(optional)
        if self.identity is not None:
            envelope |= {"target_server": self.base_url, "created_at": format_timestamp(unix_now())}
            envelope |= {"signature": sign_envelope(self.identity, envelope)}
        return envelope_call(envelope)

    def callback_call(
        self,
        callback_url: str,
        dispatch_id: str,
        event_type: str,
        state_delta: JsonObject | None,
        attestation: JsonObject | None,
        trace_id: str | None,
    ) -> Call:
        """Return the call that sends a callback; raises InvalidIdentifier unless the URL is an absolute http(s) URL."""
        split_url(callback_url)
        event = CallbackEventType(event_type).value
        payload: JsonObject = {"dispatch_id": dispatch_id, "event_type": event, "state_delta": state_delta or {}}
        payload |= without_falsy({"attestation": attestation, "trace_id": trace_id})
        if self.identity is not None:
            payload |= {"signature": sign_envelope(self.identity, payload)}
        return Call("POST", callback_url, payload)
