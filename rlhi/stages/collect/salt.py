"""The salt of a workspace's pseudonyms: made when it is first wanted, kept beside the data and never with it."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress

from rlhi.collect.clean.users import pseudonym
from rlhi.config import IngestConfig
from rlhi.workspace.store import StoreError, Workspace, read_manifest

SALT = ".rlhi/salt"


def salt_of(space: Workspace, ingest: IngestConfig) -> str:
    """32 hex digits, the same for the workspace's life; empty where ids are kept as they are (``ingest.hash_users``).

    Raises:
        StoreError: the file holds something else, or is gone after a cycle has run.
    """
    if not ingest.hash_users:
        return ""
    path = space.path(SALT)
    if not path.exists():
        known = (read_manifest(space.path("data/conversations")) or {}).get("files")
        if known and space.path("cycle.json").exists():
            raise StoreError(
                f"{path} is gone, and cycles have run: put its copy back; with another salt everybody is somebody "
                "else, and users who were learned from would be measured on"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"salt.{os.getpid()}")
        handle = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(16))
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, never takes the place of a salt that another command made meanwhile.
        with suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    salt = path.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch("[0-9a-f]{32}", salt):
        raise StoreError(f"{path} holds no salt: put its copy back; without it every user would be a stranger")
    return salt


def known_as(space: Workspace, ingest: IngestConfig, user_id: str) -> str:
    """The name that a user of a log has here; the id as it is where no pseudonym was ever made."""
    return pseudonym(user_id, salt_of(space, ingest)) if space.path(SALT).exists() else user_id
