"""The stage ``candidates``: several answers with the persona for requests of the log."""

from __future__ import annotations

from rlhi.config import CandidatesConfig, ModelsConfig, PromptConfig, SplitConfig
from rlhi.contracts import Candidate
from rlhi.learn.pairs import candidates as ubr
from rlhi.stages import Outcome, backends
from rlhi.stages.learn.log import read_log, requests
from rlhi.stages.learn.sampled import cut_off, judged, noted, sampled, unanswered, used
from rlhi.stages.learn.teachers import Teachers
from rlhi.workspace.store import Workspace, write_table


def candidates(
    space: Workspace, /, *, candidates: CandidatesConfig, prompt: PromptConfig, split: SplitConfig,
    models: ModelsConfig, seed: int,
) -> Outcome:  # fmt: skip
    """Sample N answers with the persona for requests drawn by seed."""
    log, config = read_log(space), candidates
    asked = requests(log, config, prompt, split)
    model = backends.chat_model(space, models.policy, config.sampling, models)
    teachers = Teachers(space, config, models, seed, asked, log)
    store, new, wanting = sampled(space, seed, teachers, asked, model, config.prompts, config.n, config.sampling)
    rows = list(ubr.candidates(asked, teachers.teaching(store.samples)))
    write_table(space.path("data/candidates"), Candidate, rows, user=lambda row: row.user_id, note=noted(wanting))
    note = f"used {used(space, store, asked)} of {len(asked)} requests this cycle, {config.n} candidates each"
    distinct = len(rows) / max(1, config.n * len({(row.conversation_id, row.turn_index) for row in rows}))
    counts: dict[str, int | float | str] = {
        "candidates": len(rows),
        "requests": len(asked),
        "distinct share": distinct,
        **unanswered(asked, store),
    }
    counts["cut off"] = sum(row.cut for row in rows)
    counts |= judged(space, teachers, store, model)
    note += f"; {wanting}" if wanting else cut_off([row.cut for row in rows], config.sampling.max_new_tokens)
    return Outcome(new, 0, counts, note)
