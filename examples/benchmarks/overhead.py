"""What lcrag itself takes for a question over long documents, asked of a server that answers at once.

    python examples/benchmarks/overhead.py WORK

The server is a process of its own, so that only lcrag's processor time counts. Full context over 64,000 tokens: the
first question, 16 one by one, 64 at 32 at a time; processor and wall seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import corpus as documents
from clock import print_result

from lcrag.session import Session
from lcrag.types import Policy, Settings

TOKENS = 64_000
WHOLE = Policy(pipeline="full_context")
ASKED = ("Who kept the light{}?", "When was the ferry{} put out of service?", "What does a mooring{} cost?", "Who{}?")
REPLY = "The ferry was put out of service in 1953, and the light on the Calf was kept until the mill closed."


class Server(BaseHTTPRequestHandler):
    """As vLLM's; a token is a word."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            return self._send({"data": [{"id": "fake", "max_model_len": 131_072, "owned_by": "vllm"}]})
        return self._send({"error": {"message": "no such page"}}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/tokenize":
            asked = json.loads(body)
            chat = "".join(f"<{one['role']}>\n{one['content']}\n<end>\n" for one in asked.get("messages", ()))
            ids = [sum(map(ord, word)) for word in (chat or asked["prompt"]).split()]
            return self._send({"tokens": ids, "count": len(ids)})
        pieces: list[dict[str, Any]] = [{"text": f"{word} ", "index": 0} for word in REPLY.split()]
        pieces[-1]["finish_reason"] = "stop"
        events = [json.dumps({"choices": [piece]}) for piece in pieces]
        return self._send_text("".join(f"data: {event}\n\n" for event in (*events, "[DONE]")), "text/event-stream")

    def _send(self, value: Any, status: int = 200) -> None:
        self._send_text(json.dumps(value), "application/json", status)

    def _send_text(self, text: str, kind: str, status: int = 200) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def serve() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


def timed(ask: Callable[[], Any], questions: int = 1) -> dict[str, float]:
    """Processor and wall seconds of a question."""
    processor, wall = time.process_time(), time.perf_counter()
    ask()
    return {
        "processor": (time.process_time() - processor) / questions,
        "wall": (time.perf_counter() - wall) / questions,
    }


def measure(work: Path, url: str) -> dict[str, Any]:
    folder = work / "documents"
    documents.write_tokens(folder, TOKENS, 0)
    settings = Settings((str(folder),), index=work / "index", backend="server", base_url=url, writer="off", log=False)
    questions = [asked.format(f" of box {number}") for number in range(16) for asked in ASKED]
    with Session.open(settings) as session:
        session.plan(questions[0], WHOLE)
        return {
            "first": timed(lambda: session.ask(questions[0], WHOLE)),
            "one_by_one": timed(lambda: [session.ask(question, WHOLE) for question in questions[:16]], 16),
            "32_at_a_time": timed(lambda: list(session.ask_many(questions, WHOLE, workers=32)), len(questions)),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("work", type=Path)
    given = parser.parse_args()
    command = [sys.executable, "-c", "import overhead; overhead.serve()"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent) as server:
        assert server.stdout is not None
        try:
            found = measure(given.work, f"http://127.0.0.1:{int(server.stdout.readline())}/v1")
        finally:
            server.kill()
    print_result(found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
