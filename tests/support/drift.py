"""Users whose conversations resemble one another, as rows of drift."""

from __future__ import annotations

import random

from rlhi.evaluate.drift import DriftRow


def rows(
    users: int, seed: int, scale: float = 1.0, languages: tuple[str, ...] = ("en", "fr"), conversations: int = 3
) -> list[tuple[str, DriftRow]]:
    """Several conversations of each user, who has a length, a language, a topic and complaints of their own."""
    rng = random.Random(seed)
    found = []
    for at in range(users):
        length, complaints = rng.lognormvariate(3, 1), rng.random()
        language, topic, coder = rng.choice(languages), f"topic {rng.randint(1, 4)}", rng.random() < 0.3
        found += [
            (f"{seed}-{at}", row)
            for row in (
                DriftRow(
                    turns=float(rng.randint(1, 5)),
                    request_words=scale * length * rng.lognormvariate(0, 0.3),
                    mean_words=scale * length * rng.lognormvariate(0, 0.3),
                    question_share=rng.random(),
                    non_ascii_share=rng.random() / 10,
                    code=float(coder),
                    reattempt_share=complaints if rng.random() < 0.8 else None,
                    positive_share=rng.random() / 2,
                    language=language,
                    claim=rng.choice((None, "length", "format")),
                    topic=topic,
                )
                for _ in range(conversations)
            )
        ]
    return found
