"""The password of a workspace's Prefect server: who holds it runs commands as whoever started the server."""

from __future__ import annotations

import secrets
from pathlib import Path

from rlhi.workspace.store import write_atomic

_USER = "rlhi"


def password_file(home: Path) -> Path:
    """Where the password lies, for its owner's eyes only; ``home`` is the workspace's Prefect home."""
    return home / "auth"


def password(home: Path) -> str:
    """The password as Prefect wants it, ``user:secret``; made on first asking and kept, for browsers remember it."""
    file = password_file(home)
    known = file.read_text(encoding="utf-8").strip() if file.exists() else ""
    if not known:
        known = f"{_USER}:{secrets.token_urlsafe(32)}"
        write_atomic(file, f"{known}\n".encode(), mode=0o600)
    return known


def sign_in(home: Path, terminal: bool) -> str:
    """How to sign in to the UI: the password on a terminal, else the command that shows it, for logs are kept."""
    return f"sign in with {password(home)}" if terminal else f"to sign in: cat {password_file(home)}"
