"""The simulated log in WildChat's schema (allenai/WildChat-1M), so that all after it is as for real logs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from rlhi.checks.form import LANGUAGES, language_of
from rlhi.contracts import Turn, content_key
from rlhi.simulate.dialogue import SimulatedConversation

# The same for everybody: ``hashed_ip`` alone tells users apart.
HEADER = {"accept-language": "en-US,en;q=0.9", "user-agent": "rlhi-simulate"}


def user_key(user_id: str) -> str:
    """The id under which a reader of WildChat's schema knows a simulated user: its address and its browser's header."""
    return f"{user_id}-{content_key(HEADER)[:8]}"


def log_rows(conversations: Iterable[SimulatedConversation]) -> Iterator[dict[str, object]]:
    """WildChat rows: ``conversation_hash``, ``hashed_ip`` (the user id), ``conversation[]`` and their flags."""
    for conversation in conversations:
        turns = [_turn(conversation, at, turn) for at, turn in enumerate(conversation.turns)]
        yield {
            "conversation_hash": conversation.conversation_id,
            "model": conversation.model,
            "timestamp": conversation.turns[-1].created_at,
            "conversation": turns,
            "turn": sum(turn.role == "user" for turn in conversation.turns),
            "language": "English",
            "toxic": False,
            "redacted": False,
            "hashed_ip": conversation.user_id,
            "header": HEADER,
        }


def write_log(path: Path, conversations: Iterable[SimulatedConversation]) -> None:
    """Write the log as JSON lines, compressed if ``path`` ends with ``.gz``; the same bytes for the same rows."""
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in log_rows(conversations))
    data = lines.encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _turn(conversation: SimulatedConversation, at: int, turn: Turn) -> dict[str, object]:
    # An exchange's two turns share their identifier, as in WildChat. Users write English, answers may not be.
    language = LANGUAGES.get(language_of(turn.content), "English") if turn.role == "assistant" else "English"
    return {
        "role": turn.role,
        "content": turn.content,
        "timestamp": turn.created_at,
        "turn_identifier": int(content_key(conversation.conversation_id, at // 2)[:8], 16),
        "language": language,
        "toxic": False,
        "redacted": False,
    }
