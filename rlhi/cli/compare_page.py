"""`rlhi compare --page`: one page on this machine, for whoever has its address.

It listens on 127.0.0.1 alone, under a path that nobody guesses, and answers to that host's name alone: a page of
another site that lets its name resolve to this machine still names itself. What users and models wrote is escaped, and
the page's policy lets nothing run or load but its own script and style.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Lock, Thread
from urllib.parse import parse_qs

from rlhi.evaluate.replies import SideBySide
from rlhi.stages.evaluate.compare import Session

ANSWERS = ("left", "right", "tie", "neither")
LARGEST = 10_000
"""Bytes of a form; ours are some hundred."""


class Questions:
    """The pairs to ask, in turn; answers come from several threads, each is taken once."""

    def __init__(self, of: Session, todo: Sequence[SideBySide]) -> None:
        self.of = of
        self.todo = todo
        self.at = 0
        self.stopped = False
        self._lock = Lock()

    @property
    def over(self) -> bool:
        """Nothing is left to ask."""
        return self.stopped or self.at >= len(self.todo)

    def take(self, at: str, said: str) -> bool:
        """Keep an answer to the question ``at``; False for one that is none. An old question's changes nothing."""
        if said not in (*ANSWERS, "stop"):
            return False
        with self._lock:
            if self.over or at != str(self.at):
                return True
            if said == "stop":
                self.stopped = True
            else:
                self.of.keep(self.todo[self.at], said)
                self.at += 1
        return True

    def page(self, nonce: str) -> str:
        """The question that is due, else the end."""
        from jinja2 import Environment, StrictUndefined

        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        text = files("rlhi.cli").joinpath("compare.html.j2").read_text(encoding="utf-8")
        with self._lock:
            at, row = self.at, None if self.over else self.todo[self.at]
        return environment.from_string(text).render(
            nonce=nonce, at=at, count=len(self.todo), row=row, sides=self.of.sides(row) if row else ()
        )


class PageServer(ThreadingHTTPServer):
    """The page's server; it ends itself once nothing is left to ask and that was shown."""

    daemon_threads = True

    def __init__(self, questions: Questions) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.questions = questions
        self.path = f"/{secrets.token_urlsafe(24)}/"
        self.host = f"127.0.0.1:{self.server_address[1]}"

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{self.host}{self.path}"


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    server_version = "rlhi"
    sys_version = ""

    def do_GET(self) -> None:
        """The page."""
        if not self._refused():
            self._page()

    def do_POST(self) -> None:
        """An answer, then the page anew, so that loading it again sends nothing twice."""
        if self._refused():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST:
            self._say(400, "no form of this page")
            return
        form = parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"))
        at, said = (form.get(name, [""])[0] for name in ("at", "said"))
        if not self.server.questions.take(at, said):
            self._say(400, "no answer of this page")
            return
        self.send_response(303)
        self.send_header("Location", self.server.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _refused(self) -> bool:
        """Another host, a page of another origin, or another path."""
        hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
        if hosts != [self.server.host] or any(origin != f"http://{self.server.host}" for origin in origins):
            self._say(400, "unknown host or origin")
        elif not secrets.compare_digest(self.path.encode(), self.server.path.encode()):
            self._say(404, "no such page")
        else:
            return False
        return True

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        over = self.server.questions.over
        self._send(200, "text/html", self.server.questions.page(nonce), nonce)
        if over:
            Thread(target=self.server.shutdown, daemon=True).start()

    def _say(self, status: int, text: str) -> None:
        self.close_connection = True
        self._send(status, "text/plain", text, "")

    def _send(self, status: int, kind: str, text: str, nonce: str) -> None:
        data = text.encode("utf-8", "replace")
        own = f"'nonce-{nonce}'" if nonce else "'none'"
        self.send_response(status)
        for name, value in {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(data)),
            "Content-Security-Policy": f"default-src 'none'; script-src {own}; style-src {own}; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: its address lets people in."""


def ask(of: Session, todo: Sequence[SideBySide]) -> None:
    """Serve the page until all is answered, or the person stops there or with Ctrl-C."""
    with PageServer(Questions(of, todo)) as server:
        print(f"Open {server.address}\nIt asks until you stop there, or with Ctrl-C here.", flush=True)
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            print()
