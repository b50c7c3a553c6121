"""Template spam: conversations that open with the same long message, but for numbers and quoted text.

Whether a conversation is one of these hangs on the others, so it is no matter of a row: count :func:`skeleton` over
the conversations and ask :func:`spam` which are templates. The result is a pure function of the set of conversations,
in whatever order and batches they came. Whoever keeps a table keeps its counts, for they add up over partitions and
batches: a conversation that grows keeps its first message and is counted once. A batch that lifts a skeleton over the
bound thereby sets older conversations aside too (`Conversation.set_aside`), and what takes it under the bound again, an
erasure, brings them back.
"""

from __future__ import annotations

import re
from collections import Counter

from rlhi.config import IngestConfig
from rlhi.contracts import Conversation

LENGTH = 200  # characters of a skeleton
MIN_LENGTH = 40  # a shorter opening ("hello", "continue") is everybody's and no template
READ = 2000  # characters of the message that are read

_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|«[^»]*»|`[^`]*`')
_DIGITS = re.compile(r"[0-9]+")


def skeleton(conversation: Conversation) -> str:
    """What stays of the first user message: lower case, digits and quoted text masked, space squeezed, cut at 200.

    Empty where no more than 40 characters stay.

    >>> from rlhi.contracts import Turn
    >>> said = Turn("user", 'Write  10 image prompts about "a red barn" for me, in English please')
    >>> skeleton(Conversation("c", "u", "real", None, None, None, (said,), "log"))
    'write # image prompts about "" for me, in english please'
    """
    said = next((turn.content for turn in conversation.turns if turn.role == "user"), "")
    masked = _DIGITS.sub("#", _QUOTED.sub('""', said[:READ].lower()))
    whole = " ".join(masked.split())[:LENGTH].rstrip()
    return whole if len(whole) > MIN_LENGTH else ""


def spam(counts: Counter[str], config: IngestConfig) -> frozenset[str]:
    """The skeletons that more than ``ingest.spam_repeats`` conversations open with."""
    return frozenset(one for one, count in counts.items() if one and count > config.spam_repeats)
