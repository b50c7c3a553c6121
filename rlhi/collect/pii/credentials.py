"""Recognisers of keys, tokens and passwords: by their issuer's prefix, their form, or the name they are given to.

What code, manuals and placeholders put in a secret's place stays: ``os.environ["API_KEY"]``, ``YOUR_API_KEY``,
``password=None``, ``user:password@localhost``. Of ``password: s3cret!`` only the value is the finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import AnyStr

from rlhi.collect.pii.recognisers import Span

_ISSUED = {
    # Amazon, Google
    **dict.fromkeys(("AKIA", "ASIA"), r"[A-Z0-9]{16}"),
    "AIza": r"[A-Za-z0-9_-]{35}",
    "ya29.": r"[A-Za-z0-9_-]{20,}",
    # Code hosts, package registries
    **dict.fromkeys(("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"[A-Za-z0-9]{36,}"),
    "github_pat_": r"[A-Za-z0-9_]{22,}",
    "glpat-": r"[A-Za-z0-9_-]{20,}",
    "npm_": r"[A-Za-z0-9]{36}",
    "pypi-": r"[A-Za-z0-9_-]{50,}",
    # Models, payments, chat, mail
    "sk-": r"[A-Za-z0-9_-]{20,}",
    "hf_": r"[A-Za-z0-9]{30,}",
    **dict.fromkeys(("sk_live_", "sk_test_", "rk_live_"), r"[A-Za-z0-9]{16,}"),
    "xox": r"[abeprs]-[A-Za-z0-9-]{10,}",
    "SG.": r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    # JSON web tokens (RFC 7519)
    "eyJ": r"[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}",
}
_TOKENS = {prefix: re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(prefix)}{rest}") for prefix, rest in _ISSUED.items()}
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----[^<>]{40,12000}?"
    r"-----END (?:[A-Z]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----"
)
_IN_URL = re.compile(r"://[^\s:/@\"'<>]{1,64}:([^\s/@\"'<>]{3,64})@")

SCHEMES = (b"bearer ", b"basic ")
_SCHEME = re.compile(r"(?:bearer|basic) ([A-Za-z0-9._~+/-]{16,}={0,2})", re.IGNORECASE)
# What the names of secrets hold, in lower case; the rest of the name and the value must follow.
NAMES = (b"pass", b"pwd", b"secret", b"token", b"key", b"contrase")
_GIVEN = re.compile(
    r"(?:pass(?:word|wd|wort|phrase|e)|pwd|secret|token|key|contraseña)[\"']?"
    r"(?:\s{0,3}(?:=>|:=|[=:])\s{0,3}| (?:is|was|ist|es|est) )([\"'`]?)([^\s\"'`<>(){}\[\],;]{6,128})(?![(\[{])",
    re.IGNORECASE,
)
_KEY_TO = re.compile(r"(?:api|access|auth|private|secret|encryption)[_ -]?$", re.IGNORECASE)  # before the word "key"
_DUMMY = re.compile(
    r"your|example|change_?me|placeholder|xxxx|\*\*\*|\.\.\.|insert|dummy|sample|1234567"
    r"|^(?:my_?)?(?:pass(?:word|wd|phrase)?|pwd|secret|token|key|test|user|admin)[\d!_]*$",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)+|\$.*|%.*%|\d+-?[a-z]+|[a-z]+(?:_[a-z]+)+\d*")


def private_keys(text: str) -> Iterator[Span]:
    """Private keys in PEM (RFC 7468), header and footer with them."""
    yield from (found.span() for found in _PRIVATE_KEY.finditer(text))


def tokens(text: str) -> Iterator[Span]:
    """Keys and tokens that their issuers mark with a prefix."""
    spans = []
    for prefix, pattern in _TOKENS.items():
        for at in _places(text, prefix):
            if (found := pattern.match(text, at)) and _is_token(found[0]):
                spans.append(found.span())
    yield from sorted(spans)


def passwords_in_urls(text: str) -> Iterator[Span]:
    """The password of ``scheme://user:password@host``."""
    yield from (found.span(1) for found in _IN_URL.finditer(text) if _is_secret(found[1]))


def named(text: str) -> Iterator[Span]:
    """What is given to a secret's name (``password = ...``, "my password is ...") or follows ``Bearer``."""
    # Bytes, one for each character: lower case in other scripts takes long and may change the length.
    lower = text.encode("ascii", "replace").lower()
    spans = []
    for scheme in SCHEMES:
        for at in _places(lower, scheme):
            if (found := _SCHEME.match(text, at)) and _is_secret(found[1]):
                spans.append(found.span(1))
    for name in NAMES:
        for at in _places(lower, name):
            if (found := _GIVEN.match(text, at)) and (name != b"key" or _KEY_TO.search(text[max(0, at - 12) : at])):
                said = found[2] if found[1] else found[2].rstrip(".,:!?")
                if len(said) > 5 and _is_secret(said) and (found[1] or not _CODE.fullmatch(said)):
                    spans.append((found.start(2), found.start(2) + len(said)))
    yield from sorted(spans)


def _places(text: AnyStr, part: AnyStr) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _is_secret(said: str) -> bool:
    """Whether it may be somebody's: letters with digits, and no stand-in."""
    mixed = any(map(str.isalpha, said)) and any(map(str.isdigit, said))
    return mixed and not _DUMMY.search(said)


def _is_token(said: str) -> bool:
    """The same for what has an issuer's prefix: capitals among small letters are as good as digits."""
    mixed = any(map(str.isdigit, said)) or not (said.islower() or said.isupper())
    return mixed and not _DUMMY.search(said)
