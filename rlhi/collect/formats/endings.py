"""Why an answer ended, as APIs log it: one that ran into its limit of tokens was cut."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rlhi.collect.formats.fields import DEPTH

NAMES = ("finish_reason", "stop_reason", "finishReason", "stopReason", "done_reason", "reason")
LIMITS = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
# Where the reason lies in what wraps an answer; of several answers the first is the one that was served.
HELD = ("body", "response", "choices", "candidates", "message", "incomplete_details", "delta", "response_metadata")
_STREAMED = re.compile(rf'"(?:{"|".join(NAMES)})"\s*:\s*"(?:{"|".join(LIMITS)})"', re.IGNORECASE)


def was_cut(value: object, depth: int = DEPTH) -> bool:
    """Whether a response, a message or a stream of chunks says that its answer ran into the limit.

    >>> was_cut({"choices": [{"finish_reason": "length"}]}), was_cut({"stop_reason": "end_turn"})
    (True, False)
    """
    if isinstance(value, str):
        return value.startswith(("data:", "event:")) and _STREAMED.search(value) is not None
    if isinstance(value, list) and depth:
        chunks = any(isinstance(one, Mapping) and ("delta" in one or "choices" in one) for one in value)
        return any(was_cut(one, depth - 1) for one in (value if chunks else value[:1]))
    if not isinstance(value, Mapping) or not depth:
        return False
    said = (value.get(name) for name in NAMES)
    if any(isinstance(one, str) and one.lower() in LIMITS for one in said):
        return True
    return any(was_cut(value[name], depth - 1) for name in HELD if value.get(name) and not isinstance(value[name], str))
