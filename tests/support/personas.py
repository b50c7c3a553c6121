"""Personas as somebody might write them, each sentence a claim."""

from __future__ import annotations

from dataclasses import replace

from rlhi.collect.wishes.claims import read_claim, read_profile
from rlhi.contracts import Claim, Persona, ToldClaim


def persona(user: str, text: str, *claims: Claim, version: str = "") -> Persona:
    """The persona of a user with this text, told whole; ``claims`` are what was found, where that matters."""
    found = tuple(read(claim) for claim in claims)
    return Persona(f"key of {user}", user, version or f"v {user}", text, found, 1, told=read_profile(text).claims)


def read(claim: Claim) -> Claim:
    """The claim with what a program can see of it."""
    topics, check = read_claim(claim.text)
    return replace(claim, topics=topics, check=check)


def told(text: str) -> ToldClaim:
    """A claim as it is told."""
    return ToldClaim(text, read_claim(text)[1])
