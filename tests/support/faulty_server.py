"""An OpenAI-compatible server on loopback that fails in a chosen way: what a real one does on a bad day."""

from __future__ import annotations

import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK = "ok"


@dataclass
class FaultyServer:
    """``script``: what each request for a completion meets in turn, then "ok"; ``seen``: the bodies of these requests.

    ``requests``: every request as "GET /path", and in ``keys`` its Authorization; ``connections``: how many were
    opened. A request for a path in ``dropped`` loses its connection, one for a path in ``refused`` gets that status.
    ``models``: the list of models instead of the usual, a status instead of one, or a page as text; ``api``: what comes
    before "/models" and "/chat/completions". ``refuses``: a field or role (or "status field") → what the server says
    about it. ``events``: the data of the events of each reply, JSON values or texts; ``line_end``: of its lines;
    ``body``: a reply that is not streamed. ``redirects``: a path → the address that it leads to, with ``redirect``.
    ``started``: the start of the process as /metrics reports it; None for a server without metrics. ``port``: the one
    to listen on, 0 for a free one. ``stalls`` and ``hang_ups``: replies that the server left hanging, and those on
    which the client then hung up.
    """

    script: list[str] = field(default_factory=list)
    reply: str = "Ann is here [1]."
    window: int | None = 8192
    tokenizes: bool = True
    structured: bool = True
    takes_ids: bool = True
    opening: str = "<|assistant|>"
    folder: str | None = None
    delay: float = 0.0
    started: float | None = 1700000000.25
    models: Any = None
    api: str = "/v1"
    refuses: dict[str, str] = field(default_factory=dict)
    events: list[Any] | None = None
    line_end: str = "\n"
    body: Any = None
    redirects: dict[str, str] = field(default_factory=dict)
    redirect: int = 308
    metrics: str = ""
    tokenized: list[Any] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    port: int = 0
    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    connections: int = 0
    running: int = 0
    most_running: int = 0
    stalls: int = 0
    hang_ups: int = 0
    words: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> str:
        with self.lock:
            return self.script.pop(0) if self.script else OK


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.state.lock:
            self.server.state.connections += 1
            self.server.open.append(self.connection)

    def log_message(self, *_: Any) -> None:
        pass

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self._page(status, "application/json", json.dumps(value), headers)

    def _page(self, status: int, kind: str, text: str, headers: dict[str, str] | None = None) -> None:
        data = text.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _is_faulty(self) -> bool:
        """Record the request, and fail it where it is to fail."""
        state = self.server.state
        with state.lock:
            state.requests.append(f"{self.command} {self.path}")
            state.keys.append(self.headers["Authorization"])
        if self.path in state.dropped:
            self._drop()
        elif self.path in state.refused:
            self._json(state.refused[self.path], {"error": {"message": "refused by the script"}})
        elif self.path in state.redirects:
            self._page(state.redirect, "text/plain", "", {"Location": state.redirects[self.path]})
        return self.path in state.dropped or self.path in state.refused or self.path in state.redirects

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        state = self.server.state
        if self._is_faulty():
            return None
        if self.path == f"{state.api}/models" and state.models is not None:
            if isinstance(state.models, str):
                return self._page(200, "application/json", state.models)
            return self._json(200, state.models)
        if self.path == f"{state.api}/models":
            entry: dict[str, Any] = {"id": "faulty", "root": state.folder}
            if state.window is not None:
                entry["max_model_len"] = state.window
            return self._json(200, {"data": [entry]})
        if self.path == "/metrics" and state.metrics:
            return self._page(200, "text/plain", state.metrics)
        if self.path == "/metrics" and state.started is not None:
            lines = [
                f"process_start_time_seconds {state.started}",
                f'vllm:prefix_cache_queries_total{{engine="0"}} {20.0 * len(state.seen)}',
                'vllm:cache_config_info{kv_cache_size_tokens="4096"} 1.0',
            ]
            return self._page(200, "text/plain", "".join(f"{line}\n" for line in lines))
        return self._json(200 if self.path == "/health" else 404, {"error": {"message": "no such page"}})

    def do_POST(self) -> None:
        state = self.server.state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._is_faulty():
            return None
        if self.path == "/tokenize":
            return self._tokenize(state, body)
        if self.path not in (f"{state.api}/chat/completions", f"{state.api}/completions"):
            return self._json(404, {"error": {"message": "no such page"}})
        with state.lock:
            state.seen.append(body)
            state.running += 1
            state.most_running = max(state.most_running, state.running)
        try:
            return self._complete(state, body)
        finally:
            with state.lock:
                state.running -= 1

    def _tokenize(self, state: FaultyServer, body: dict[str, Any]) -> None:
        """A token is a word; a chat's template adds what it opens the reply with."""
        with state.lock:
            odd = state.tokenized.pop(0) if state.tokenized else None
        if odd is not None:
            return self._json(200, odd)
        if not state.tokenizes:
            return self._json(404, {"error": {"message": "no such page"}})
        text = body.get("prompt") or "\n".join(message["content"] for message in body["messages"])
        words = f"{text} {state.opening}".split() if "messages" in body else text.split()
        with state.lock:
            state.words.append(len(words))
        reply = {"count": len(words), "tokens": [zlib.crc32(word.encode()) for word in words]}
        return self._json(200, reply | ({"token_strs": words} if body.get("return_token_strs") else {}))

    def _complete(self, state: FaultyServer, body: dict[str, Any]) -> None:
        fault = state.next_fault()
        if fault.partition(" ")[0].isdigit():  # a status, and what the server says
            status, _, message = fault.partition(" ")
            return self._json(int(status), {"error": {"message": message or f"status {status}"}}, {"Retry-After": "0"})
        if fault == "later":
            return self._json(503, {"error": {"message": "busy"}}, {"Retry-After": "3600"})
        if fault == "drop":
            return self._drop()
        if fault == "late":
            time.sleep(1.5)
        if fault == "no headers":
            return self._until_hung_up(state)
        for name, message in state.refuses.items():
            status, _, named = name.rpartition(" ")
            roles = [entry["role"] for entry in body.get("messages", ())]
            if named in body or named in roles:
                value = json.loads(message) if message.startswith("{") else {"error": {"message": message}}
                return self._json(int(status or 400), value)
        if state.body is not None:
            return self._page(
                200, "application/json", state.body if isinstance(state.body, str) else json.dumps(state.body)
            )
        if "prompt" in body and not state.takes_ids:
            return self._json(400, {"error": {"message": "prompt must be a string"}})
        if "response_format" in body and not state.structured:
            return self._json(400, {"error": {"message": "response_format is not supported"}})
        if state.delay:
            time.sleep(state.delay)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if fault == "silence":
            return self._until_hung_up(state)
        with suppress(BrokenPipeError, ConnectionResetError):
            self._events(state, body, fault)
        return None

    def _events(self, state: FaultyServer, body: dict[str, Any], fault: str) -> None:
        if state.events is not None:
            for event in state.events:
                self._event(event if isinstance(event, str) else json.dumps(event, ensure_ascii=False))
            return self._chunk(b"")
        pieces = [state.reply[place : place + 4] for place in range(0, len(state.reply), 4)]
        if fault in ("garbage", "array"):
            self._event("{this is no JSON" if fault == "garbage" else "[1, 2]")
            pieces = []
        for number, piece in enumerate(pieces):
            if fault == "trickle":
                time.sleep(0.1)
            if number == 2:
                match fault:
                    case "half":
                        return self._chunk(b"")
                    case "cut":
                        return self._drop()
                    case "stall":
                        return self._until_hung_up(state)
                    case "error":
                        self._event(json.dumps({"error": {"message": "engine died"}}))
            text = {"text": piece} if "prompt" in body else {"delta": {"content": piece}}
            self._event(json.dumps({"choices": [{**text, "finish_reason": None}]}, ensure_ascii=False))
        self._event(json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
        usage = {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 16}}
        self._event(json.dumps({"choices": [], "usage": usage}))
        self._event("[DONE]")
        return self._chunk(b"")

    def _event(self, data: str) -> None:
        line = data if data.startswith((":", "event:")) else f"data: {data}"
        self._chunk(f"{line}{self.server.state.line_end * 2}".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _until_hung_up(self, state: FaultyServer) -> None:
        self.close_connection = True
        self.connection.settimeout(20)
        with state.lock:
            state.stalls += 1
        if self.connection.recv(1) == b"":
            with state.lock:
                state.hang_ups += 1


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def __init__(self, state: FaultyServer) -> None:
        super().__init__(("127.0.0.1", state.port), _Handler)
        self.state = state
        self.open: list[socket.socket] = []


@contextmanager
def faulty_server(**options: Any) -> Iterator[FaultyServer]:
    """At its end every connection is closed, as when the server's process ends."""
    state = FaultyServer(**options)
    server = _Server(state)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        for connection in server.open:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()
