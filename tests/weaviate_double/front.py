"""The listening side of the double: REST by pytest-httpserver, gRPC by a servicer from the client's stubs."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import grpc
from google.protobuf import json_format
from pytest_httpserver import HTTPServer
from weaviate.proto.v1 import weaviate_pb2_grpc
from werkzeug import Request, Response

from federations.search.weaviate_connection import WeaviateServer
from tests.weaviate_double.forward import CALLS, to_json
from tests.weaviate_double.recording import UnknownRequestError

HOST = "127.0.0.1"
REFUSED = "refused (a fault of the test)"
_OPTIONS = [("grpc.max_send_message_length", 2**27), ("grpc.max_receive_message_length", 2**27)]


class Answers(Protocol):
    """A source of answers: a replay, a recorder or a forward."""

    def answer(self, call: str, request: Any) -> Any: ...


class Front:
    """Listens on two free ports. `answers` gives the answers, and the other attributes inject faults."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self.authorizations: set[str] = set()
        self.delay_seconds = 0.0
        self.unknown: list[str] = []
        self.refuses_half = self.refuses_all = False
        self._cuts_after: int | None = None
        self._port = 0
        self._http = HTTPServer(host=HOST, port=0, threaded=True)
        self._http.expect_request(re.compile(".*")).respond_with_handler(self._rest)
        self.start()

    def server(self, collection: str, vectorizer: str = "") -> WeaviateServer:
        """Return the server for an adapter: the addresses of the front."""
        http, rpc = (f"http://{HOST}:{port}" for port in (self._http.port, self._port))
        return WeaviateServer(http, rpc, collection=collection, vectorizer=vectorizer)

    def reset(self) -> None:
        """Discard the calls and faults of the last test."""
        self.calls.clear()
        self.authorizations.clear()
        self.delay_seconds = 0.0
        self.unknown.clear()
        self.refuses_half = self.refuses_all = False
        self._cuts_after = None

    def start(self) -> None:
        """Listen, after a stop on the same ports as before."""
        self._http.start()
        self._rpc_server = grpc.server(ThreadPoolExecutor(8), options=_OPTIONS)
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(  # type: ignore[no-untyped-call]
            _Servicer(self), self._rpc_server
        )
        self._port = self._rpc_server.add_insecure_port(f"{HOST}:{self._port}")
        self._rpc_server.start()

    def stop(self) -> None:
        """Close all connections and stop to listen."""
        self._rpc_server.stop(None).wait(5)
        self._http.stop()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Do not listen while the block runs."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def cut_after(self, batches: int) -> None:
        """Close all connections once, after the next `batches` batches and before the answer to the last of them."""
        self._cuts_after = batches

    def answered(self, call: str, request: Any, authorization: str) -> Any:
        """Return the answer to a call, with the injected faults."""
        self.calls.append(call)
        self.authorizations.add(authorization)
        answer = self._batch(request) if call == "BatchObjects" else self._looked_up(call, request)
        time.sleep(self.delay_seconds)
        return answer

    def _batch(self, request: Any) -> Any:
        objects = request["objects"]
        if self.refuses_all:
            return {"errors": [{"index": index, "error": REFUSED} for index in range(len(objects))]}
        kept = objects[1::2] if self.refuses_half and len(objects) > 1 else objects
        answer = self._looked_up("BatchObjects", {**request, "objects": kept})
        if self._cuts_after is not None:
            self._cuts_after -= 1
            if self._cuts_after == 0:
                self._cuts_after = None
                self._restart()
        if kept is objects:
            return answer
        return {"errors": [{"index": index, "error": REFUSED} for index in range(0, len(objects), 2)]}

    def _restart(self) -> None:
        """Cut the call that is being answered with all others, and listen again a moment later."""
        self._rpc_server.stop(None)
        threading.Timer(0.3, self._listen_again).start()

    def _listen_again(self) -> None:
        self._rpc_server.wait_for_termination(5)
        self._http.stop()
        self.start()

    def _looked_up(self, call: str, request: Any) -> Any:
        try:
            return self.answers.answer(call, request)
        except UnknownRequestError as exc:
            self.unknown.append(str(exc))
            raise

    def _rest(self, request: Request) -> Response:
        body = json.loads(request.data) if request.data else None
        try:
            answer = self.answered(f"{request.method} {request.path}", body, request.headers.get("Authorization", ""))
        except UnknownRequestError:
            return Response("not recorded", status=500)
        text = json.dumps(answer["body"]) if answer["body"] is not None else ""
        return Response(text, status=answer["status"], content_type="application/json")


class _Servicer(weaviate_pb2_grpc.WeaviateServicer):
    """Passes each gRPC call of the adapter to the front."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def Search(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer("Search", request, context)

    def BatchObjects(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer("BatchObjects", request, context)

    def BatchDelete(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer("BatchDelete", request, context)

    def Aggregate(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer("Aggregate", request, context)

    def _answer(self, call: str, request: Any, context: grpc.ServicerContext) -> Any:
        authorization = dict(context.invocation_metadata()).get("authorization", "")
        try:
            answer = self._front.answered(call, to_json(request), authorization)
        except UnknownRequestError:
            return context.abort(grpc.StatusCode.UNIMPLEMENTED, "not recorded")
        if error := answer.get("error"):
            context.abort(grpc.StatusCode[error["code"]], error["details"])
        return json_format.ParseDict(answer, CALLS[call][1]())
