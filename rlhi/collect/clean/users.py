"""Users by a name that tells nobody who they are."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from rlhi.contracts import Conversation


def pseudonym(user_id: str, salt: str) -> str:
    """``user-`` and 16 hex digits of HMAC-SHA256 under the salt; the id as it is when the salt is empty.

    The same id gives the same pseudonym under one salt. Without the salt an id cannot be guessed at by hashing names.
    """
    if not salt:
        return user_id
    digest = hmac.new(salt.encode(), user_id.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return f"user-{digest.hexdigest()[:16]}"


def hide_user(conversation: Conversation, salt: str) -> Conversation:
    """The conversation under its user's pseudonym; an anonymous one has nobody to hide."""
    if conversation.user_id_kind == "conversation_only":
        return conversation
    return replace(conversation, user_id=pseudonym(conversation.user_id, salt))
