"""What a person said of a persona: it beats inference, survives new conversations, and can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rlhi.collect.persona.evidence import Found
from rlhi.collect.wishes.claims import read_claim
from rlhi.collect.wishes.rules import Kind
from rlhi.contracts import Claim

MAX_TEXT = 2000  # characters of a text that is set


@dataclass(frozen=True, slots=True)
class AddedClaim:
    """A claim that a person made of a user."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class PersonaEdit:
    """All that was edited of one user's persona.

    ``text`` stands in place of the whole text (empty: say nothing), None where it was not set. ``added`` come before
    what was inferred. ``removed`` are texts of inferred claims that are not to be said.
    """

    user_id: str
    text: str | None = None
    added: tuple[AddedClaim, ...] = ()
    removed: tuple[str, ...] = ()


class EditError(ValueError):
    """An edit that cannot be made; the message is one line with the remedy."""


def set_text(edit: PersonaEdit, text: str) -> PersonaEdit:
    """Put a text in place of the whole persona."""
    return replace(edit, text=_plain(text))


def add(edit: PersonaEdit, kind: Kind, text: str) -> PersonaEdit:
    """Add a claim; one with the same words is replaced, and is removed no longer."""
    said = _plain(text)
    if not said:
        raise EditError("the claim says nothing: give it words")
    others = tuple(one for one in edit.added if not _same(one.text, said))
    kept = tuple(one for one in edit.removed if not _same(one, said))
    return replace(edit, added=(*others, AddedClaim(kind, said)), removed=kept)


def remove(edit: PersonaEdit, claims: Sequence[Claim], number: int) -> PersonaEdit:
    """Remove the claim with this number (from 1) of those that are shown: an added one is gone, others stay away.

    Raises:
        EditError: there is no such claim.
    """
    if not 1 <= number <= len(claims):
        shown = f"it has claims 1 to {len(claims)}" if claims else "it has no claims"
        raise EditError(f"no claim {number}: {shown}, see `rlhi persona show`")
    text = claims[number - 1].text
    if any(_same(one.text, text) for one in edit.added):
        return replace(edit, added=tuple(one for one in edit.added if not _same(one.text, text)))
    return replace(edit, removed=tuple(sorted({*edit.removed, text})))


def applied(edit: PersonaEdit, found: Sequence[Found]) -> tuple[Found, ...]:
    """The claims after an edit: the added ones first and certain, then what it leaves of the inferred ones.

    An inferred wish about the same thing as an added claim gives way to it, whatever it says.
    """
    added = [Found("wish", _claim(one)) for one in edit.added]
    taken = {topic for one in added for topic in one.claim.topics}
    gone = {_folded(text) for text in (*edit.removed, *(one.text for one in edit.added))}
    kept = [
        one
        for one in found
        if _folded(one.claim.text) not in gone and not (one.group == "wish" and taken & set(one.claim.topics))
    ]
    return (*added, *kept)


def _claim(one: AddedClaim) -> Claim:
    topics, check = read_claim(one.text)
    return Claim(one.kind, one.text, 1.0, (), topics=topics, check=check)


def _plain(text: str) -> str:
    said = " ".join(text.split())
    if len(said) > MAX_TEXT:
        raise EditError(f"the text has {len(said)} characters, at most {MAX_TEXT} can be heeded: shorten it")
    return said


def _same(one: str, other: str) -> bool:
    return _folded(one) == _folded(other)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
