"""An endpoint that speaks OpenAI's chat-completions protocol on this machine, and says what a test wants it to say."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Endpoint:
    """Chat completions from a list of replies, the last one for ever; what was asked is kept.

    ``says`` gives the reply to a request in their place. A request with some words in it is ``refused`` as the server
    of their name would. Of more than ``most`` replies it gives ``most``, or the error ``over``.
    """

    def __init__(self, reply: str) -> None:
        self.replies = [reply]
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.delay = 0.0
        self.refused: dict[str, str] = {}
        self.most, self.over = 1 << 30, ""
        self.finish = "stop"
        self.says: Callable[[dict[str, Any]], str] | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(body)
                time.sleep(outer.delay)
                reply = outer.says(body) if outer.says else outer.replies[min(len(outer.asked), len(outer.replies)) - 1]
                choice = {"index": 0, "finish_reason": outer.finish, "message": {"role": "assistant", "content": reply}}
                usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
                answer = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
                n = body.get("n") or 1
                told: dict[str, object] = {**answer, "choices": [choice] * min(outer.most, n), "usage": usage}
                said = body["messages"][-1]["content"]
                why = next((why for words, why in outer.refused.items() if words in said), "")
                over = outer.over if n > outer.most else ""
                code = 400 if why else 500 if over else outer.status
                data = json.dumps({"error": {"message": why or over, "code": code}} if why or over else told).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with suppress(BrokenPipeError, ConnectionResetError):  # who asked may have given up
                    self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def name(self) -> str:
        """As params.yaml would name it."""
        return f"openai:http://127.0.0.1:{self.server.server_address[1]}/v1#reader"

    def close(self) -> None:
        """Stop answering."""
        self.server.shutdown()
        self.server.server_close()
