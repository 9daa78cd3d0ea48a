"""An OpenAI-compatible server on loopback that fails in a chosen way: what a real one does on a bad day."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK = "ok"


@dataclass
class FaultyServer:
    """``script``: what each chat request meets in turn, then "ok". ``seen``: the bodies of chat requests."""

    script: list[str] = field(default_factory=list)
    reply: str = "Ann is here [1]."
    window: int | None = 8192
    tokenizes: bool = True
    structured: bool = True
    takes_ids: bool = True
    opening: str = "<|assistant|>"
    folder: str | None = None
    delay: float = 0.0
    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    hung_up: threading.Event = field(default_factory=threading.Event)
    tokenized: int = 0
    words: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> str:
        with self.lock:
            return self.script.pop(0) if self.script else OK


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: Any) -> None:
        pass

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, content in (headers or {}).items():
            self.send_header(name, content)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        state: FaultyServer = self.server.state
        if self.path == "/v1/models":
            entry: dict[str, Any] = {"id": "faulty", "root": state.folder}
            if state.window is not None:
                entry["max_model_len"] = state.window
            self._json(200, {"data": [entry]})
        elif self.path == "/health":
            self._json(200, {})
        else:
            self._json(404, {"error": {"message": "no such page"}})

    def do_POST(self) -> None:
        state: FaultyServer = self.server.state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            if not state.tokenizes:
                return self._json(404, {"error": {"message": "no such page"}})
            with state.lock:
                state.tokenized += 1
            text = body.get("prompt") or "\n".join(message["content"] for message in body["messages"])
            words = f"{text} {state.opening}".split() if "messages" in body else text.split()
            with state.lock:
                state.words.append(len(words))
            told = {"count": len(words), "tokens": [zlib.crc32(word.encode()) for word in words]}
            return self._json(200, told | ({"token_strs": words} if body.get("return_token_strs") else {}))
        with state.lock:
            state.seen.append(body)
            state.running += 1
            state.most_running = max(state.most_running, state.running)
        try:
            return self._chat(state, body)
        finally:
            with state.lock:
                state.running -= 1

    def _chat(self, state: FaultyServer, body: dict[str, Any]) -> None:
        fault = state.next_fault()
        if fault.isdigit():
            return self._json(int(fault), {"error": {"message": f"told to say {fault}"}}, {"Retry-After": "0"})
        if fault == "drop":
            self.close_connection = True
            return self.connection.close()
        if "prompt" in body and not state.takes_ids:
            return self._json(400, {"error": {"message": "prompt must be a string"}})
        if "response_format" in body and not state.structured:
            return self._json(400, {"error": {"message": "response_format is not supported"}})
        if state.delay:
            time.sleep(state.delay)
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        if fault == "silence":
            return self._until_hung_up(state)
        if fault == "garbage":
            return self._event("{this is no JSON")
        if fault == "array":
            return self._event("[1, 2]")
        pieces = [state.reply[place : place + 4] for place in range(0, len(state.reply), 4)]
        for number, piece in enumerate(pieces):
            if fault == "half" and number == 2:
                return None
            if fault == "stall" and number == 2:
                return self._until_hung_up(state)
            if fault == "error" and number == 2:
                return self._event(json.dumps({"error": {"message": "engine died"}}))
            told = {"text": piece} if "prompt" in body else {"delta": {"content": piece}}
            self._event(json.dumps({"choices": [{**told, "finish_reason": None}]}))
        self._event(json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
        usage = {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 16}}
        self._event(json.dumps({"choices": [], "usage": usage}))
        return self._event("[DONE]")

    def _event(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()

    def _until_hung_up(self, state: FaultyServer) -> None:
        self.connection.settimeout(20)
        if self.connection.recv(1) == b"":
            state.hung_up.set()


@contextmanager
def faulty_server(**options: Any) -> Iterator[FaultyServer]:
    state = FaultyServer(**options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.state = state  # type: ignore[attr-defined]
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
