"""Forwarding to a real server, for recordings and for the injection of faults into live tests."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import httpx
from google.protobuf import json_format
from weaviate.proto.v1 import aggregate_pb2, batch_delete_pb2, batch_pb2, search_get_pb2, weaviate_pb2_grpc

from federations.search.weaviate_connection import WeaviateServer
from tests.weaviate_double.messages import LongTexts
from tests.weaviate_double.recording import Exchange

SECONDS = 60.0
# The gRPC calls of the adapter, with the types of request and answer.
CALLS = {
    "Search": (search_get_pb2.SearchRequest, search_get_pb2.SearchReply),
    "BatchObjects": (batch_pb2.BatchObjectsRequest, batch_pb2.BatchObjectsReply),
    "BatchDelete": (batch_delete_pb2.BatchDeleteRequest, batch_delete_pb2.BatchDeleteReply),
    "Aggregate": (aggregate_pb2.AggregateRequest, aggregate_pb2.AggregateReply),
}


def to_json(message: Any) -> Any:
    """Return a protobuf message as JSON."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


class Forward:
    """Forwards requests to a real server. The answers are JSON, as in a recording."""

    def __init__(self, server: WeaviateServer) -> None:
        params = server.connection_params()
        target = f"{params.grpc.host}:{params.grpc.port}"
        options = [("grpc.max_send_message_length", 2**27), ("grpc.max_receive_message_length", 2**27)]
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
            if params.grpc.secure
            else grpc.insecure_channel(target, options)
        )
        self._stub = weaviate_pb2_grpc.WeaviateStub(self._channel)  # type: ignore[no-untyped-call]
        # The key of the real server. The key that the adapter under test sends is not forwarded.
        self._headers = {"authorization": f"Bearer {server.api_key}"} if server.api_key else {}
        self._http = httpx.Client(base_url=server.url, timeout=SECONDS, headers=self._headers)

    def answer(self, call: str, request: Any) -> Any:
        """Return the answer of the server."""
        return self._rpc(call, request) if call in CALLS else self._rest(call, request)

    def drop(self, collection: str) -> None:
        """Remove a collection."""
        self._http.delete(f"/v1/schema/{collection}").raise_for_status()

    def close(self) -> None:
        """Close both connections."""
        self._channel.close()
        self._http.close()

    def _rpc(self, call: str, request: Any) -> Any:
        message = json_format.ParseDict(request, CALLS[call][0]())
        try:
            return to_json(getattr(self._stub, call)(message, timeout=SECONDS, metadata=tuple(self._headers.items())))
        except grpc.RpcError as exc:
            return {"error": {"code": exc.code().name, "details": exc.details()}}

    def _rest(self, call: str, request: Any) -> Any:
        method, _, path = call.partition(" ")
        response = self._http.request(method, path, json=request)
        return {"status": response.status_code, "body": response.json() if response.content else None}


class Recorder:
    """Forwards requests and stores them with their answers."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._texts = LongTexts()
        self._lock = threading.Lock()
        self.exchanges: list[Exchange] = []

    def answer(self, call: str, request: Any) -> Any:
        """Return the answer of the server, in the form of a replay."""
        answer = self._forward.answer(call, request)
        with self._lock:
            short = self._texts.shortened(request)
            kept = self._texts.without(answer)
            self.exchanges.append((call, short, kept))
            return self._texts.restored(kept)
