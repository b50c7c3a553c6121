"""A user's history -> the persona: a short text made of claims, each with its evidence (paper, section 3).

A builder reads the history (:mod:`rlhi.collect.persona.builder`), what a person edited beats it
(:mod:`rlhi.collect.persona.edits`), and the text says the wishes. ``before``, ``leave_out`` and :func:`persona_for`
build from a part of the history only, so that no turn helps to predict itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from rlhi.collect.persona import history as past
from rlhi.collect.persona.builder import Built, LocalBuilder, PersonaBuilder
from rlhi.collect.persona.edits import PersonaEdit, applied
from rlhi.collect.persona.history import History, complaints
from rlhi.collect.wishes.claims import read_claim, read_profile, told_as
from rlhi.config import PersonasConfig
from rlhi.contracts import Claim, Persona, Profile, ToldClaim, content_key

__all__ = ["History", "complaints", "persona", "persona_for", "personas", "prior", "said_claims", "with_prior"]

VERSION_DIGITS = 8
BLOCK = 32  # histories that a builder gets at a time
PRIOR_USERS = 10  # fewer users of whom something is known are no population
PRIOR_BEGINS = "Like most users: "


def personas(
    histories: Iterable[History],
    config: PersonasConfig,
    builder: PersonaBuilder | None = None,
    edits: Mapping[str, PersonaEdit] | None = None,
    known: Mapping[str, Persona] | None = None,
) -> Iterator[Persona]:
    """One persona for each user who can be told from others; its text is empty where nothing is known.

    Args:
        edits: by user.
        known: personas made before, by key; those are passed on as they are and nothing is built for them.
    """
    reader = builder or LocalBuilder(config)
    people = iter([one for one in histories if any(row.has_user for row in one.conversations)])
    while block := list(islice(people, BLOCK)):
        changed = [(edits or {}).get(history.user_id) for history in block]
        keys = [_key(one, reader.basis(one), config, edit) for one, edit in zip(block, changed, strict=True)]
        fresh = iter(reader.build([one for one, key in zip(block, keys, strict=True) if key not in (known or {})]))
        for history, key, edit in zip(block, keys, changed, strict=True):
            yield known[key] if known and key in known else _assembled(history, next(fresh), config, edit)


def persona(
    history: History,
    config: PersonasConfig,
    before: str | None = None,
    leave_out: str | None = None,
    *,
    builder: PersonaBuilder | None = None,
    edit: PersonaEdit | None = None,
) -> Persona:
    """The persona of one history; the order of its rows does not matter.

    Args:
        before: an ISO 8601 time; only turns that are known to be older are used.
        leave_out: a conversation of which nothing is used.

    Raises:
        ValueError: ``before`` is no time.
    """
    part = history if leave_out is None else past.without(history, leave_out)
    part = part if before is None else past.before(part, before)
    [built] = (builder or LocalBuilder(config)).build([part])
    return _assembled(part, built, config, edit)


def persona_for(
    history: History,
    conversation_id: str,
    turn_index: int,
    config: PersonasConfig,
    *,
    builder: PersonaBuilder | None = None,
) -> Persona:
    """The persona that may be used to predict a turn: from what was said before it.

    For an undated turn, from all other conversations (:func:`rlhi.collect.persona.history.known_at`). Edits are left
    out, for they carry no date.

    Raises:
        ValueError: the history holds no such turn.
    """
    return persona(past.known_at(history, conversation_id, turn_index), config, builder=builder)


def said_claims(row: Persona) -> tuple[Claim, ...]:
    """The claims that the persona's text says."""
    told = set(row.told)
    return tuple(claim for claim in row.claims if told.issuperset(told_as(claim)))


def up_to_date(row: Persona) -> Persona:
    """A persona as it would be made now; one that an earlier version made is read once, sentence by sentence.

    Such a one says something and tells no claim.
    """
    if row.told or not row.text:
        return row
    claims = []
    for claim in row.claims:
        topics, check = read_claim(claim.text)
        claims.append(replace(claim, topics=topics, check=check))
    return replace(row, claims=tuple(claims), told=read_profile(row.text.removeprefix(PRIOR_BEGINS)).claims)


def prior(rows: Iterable[Persona], config: PersonasConfig) -> tuple[Claim, ...]:
    """What users are like of whom something is known: claims that ``config.prior_share`` of them share.

    Their share is the confidence. Nothing with fewer than ``PRIOR_USERS`` such users.
    """
    known = [said for row in rows if row.origin == "inferred" and (said := said_claims(row))]
    if len(known) < PRIOR_USERS:
        return ()
    counts = Counter((claim.kind, claim.text, claim.topics, claim.check) for said in known for claim in said)
    shared = [
        Claim(kind, text, round(count / len(known), 4), (), topics=topics, check=check)
        for (kind, text, topics, check), count in counts.items()
        if count >= config.prior_share * len(known)
    ]
    return tuple(sorted(shared, key=lambda claim: (-claim.confidence, claim.text))[: config.max_claims])


def with_prior(rows: Iterable[Persona], claims: tuple[Claim, ...]) -> Iterator[Persona]:
    """The same personas; those that nothing is known of say what most users are like, and say so."""
    for row in rows:
        if row.text or row.origin != "inferred" or not claims:
            yield row
            continue
        text = PRIOR_BEGINS + " ".join(claim.text for claim in claims)
        yield replace(
            row, key=content_key(row.key, claims), version=_version(text), text=text,
            claims=(*claims, *row.claims), origin="prior", told=_told(claims),
        )  # fmt: skip


def _assembled(history: History, built: Built, config: PersonasConfig, edit: PersonaEdit | None) -> Persona:
    found = applied(edit, built.found) if edit else built.found
    added = len(edit.added) if edit else 0
    told = [one for at, one in enumerate(found) if at < added or one.group in config.text_kinds]
    said = [one.claim for one in told[: max(config.max_claims, added)]]
    profile = Profile(" ".join(claim.text for claim in said), _told(said))
    if edit and edit.text is not None:
        profile = read_profile(edit.text)
    return Persona(
        key=_key(history, built.basis, config, edit),
        user_id=history.user_id,
        version=_version(profile.text),
        text=profile.text,
        claims=tuple(one.claim for one in found),
        conversations=_conversations(history),
        origin="edited" if edit else "inferred",
        told=profile.claims,
    )


def _told(claims: Iterable[Claim]) -> tuple[ToldClaim, ...]:
    return tuple(told for claim in claims for told in told_as(claim))


def _key(history: History, basis: str, config: PersonasConfig, edit: PersonaEdit | None) -> str:
    shape = [config.max_claims, config.min_confidence, list(config.text_kinds)]
    return content_key(history.user_id, basis, _conversations(history), shape, edit)


def _conversations(history: History) -> int:
    return len({conversation.conversation_id for conversation in history.conversations})


def _version(text: str) -> str:
    return content_key(text)[:VERSION_DIGITS]
