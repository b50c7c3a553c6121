"""The app of a workspace's Prefect server: Prefect's own behind a check of whom a request takes it for.

A page of another site may let its name resolve to this machine (DNS rebinding): its browser then takes our server for
that site, and no rule between sites holds it back. Such a request still names the site as its host. Only uvicorn
imports this module, in the server's own process.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class KnownHosts:
    """Let requests and websockets through that name one of ``hosts`` (``name:port``) as their host; refuse others."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app = app
        self.hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI app."""
        if scope["type"] == "lifespan" or self._knows(Headers(scope=scope).getlist("host")):
            await self.app(scope, receive, send)
        else:
            await PlainTextResponse("unknown host", status_code=400)(scope, receive, send)

    def _knows(self, named: Collection[str]) -> bool:
        return bool(named) and {host.lower() for host in named} <= self.hosts


def create_app() -> ASGIApp:
    """Prefect's app for the hosts of the origins that Prefect's settings allow: where its UI is opened."""
    from prefect.server.api.server import create_app as create_prefects
    from prefect.settings import PREFECT_SERVER_CORS_ALLOWED_ORIGINS

    origins = PREFECT_SERVER_CORS_ALLOWED_ORIGINS.value().split(",")
    return KnownHosts(create_prefects(), [urlsplit(origin).netloc for origin in origins])
