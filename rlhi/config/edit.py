"""Change values of params.yaml in its text: its comments say what each is for, and stay."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINE = re.compile(r"(?P<indent> *)(?P<name>[a-z_]+):(?P<gap> *)(?P<value>[^\s#]*)(?P<rest>.*)")


def with_values(text: str, values: Mapping[str, int]) -> str:
    """The text with other numbers under these names, such as ``rewrites.sampling.batch``; all else stays as it is.

    >>> with_values("dpo:  # by TRL\\n  batch: 2  # pairs\\n", {"dpo.batch": 4})
    'dpo:  # by TRL\\n  batch: 4  # pairs\\n'

    Raises:
        KeyError: a name is not there, or holds a section.
    """
    left, path, lines = dict(values), list[tuple[int, str]](), []
    for line in text.splitlines(keepends=True):
        found = _LINE.match(line)
        if found:
            path = [*(one for one in path if one[0] < len(found["indent"])), (len(found["indent"]), found["name"])]
            name = ".".join(part for _, part in path)
            if name in left and found["value"]:
                line = line[: found.start("value")] + str(left.pop(name)) + line[found.end("value") :]
        lines.append(line)
    if left:
        raise KeyError(f"params.yaml has no value for {', '.join(left)}")
    return "".join(lines)
