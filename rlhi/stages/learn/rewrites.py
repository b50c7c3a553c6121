"""The stage ``rewrites``: answers that were complained of, written anew, and the revisions that the log holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from rlhi.config import ModelsConfig, PromptConfig, RewritesConfig, SplitConfig
from rlhi.contracts import Rewrite
from rlhi.contracts.turns import request
from rlhi.learn.pairs import rewrite as ugr
from rlhi.learn.pairs.meta_talk import without_asides
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.models.base import ChatModel
from rlhi.stages import Outcome, backends
from rlhi.stages.learn.log import Log, complaints, read_log
from rlhi.stages.learn.sampled import cut_off, judged, noted, sampled, unanswered, used
from rlhi.stages.learn.teachers import Teachers
from rlhi.workspace.store import Workspace, write_table


def rewrites(
    space: Workspace, /, *, rewrites: RewritesConfig, prompt: PromptConfig, split: SplitConfig, models: ModelsConfig,
    seed: int,
) -> Outcome:  # fmt: skip
    """Rewrite complained-about answers with their users' words, and keep the revisions the log itself holds."""
    log = read_log(space)
    config, found = rewrites, complaints(log, rewrites, prompt, split)
    model = backends.chat_model(space, models.rewriter, config.sampling, models)
    asked = [one for each in found if (one := _readable(each, model)) is not None]
    teachers = Teachers(space, config, models, seed, asked, log)
    store, new, wanting = sampled(space, seed, teachers, asked, model, config.turns, config.tries, config.sampling)
    revisions = ugr.observed_revisions(log.conversations.values(), log.labels) if config.revisions else ()
    said = [*ugr.rewrites(asked, teachers.teaching(store.samples), log.conversations), *revisions]
    rows = [replace(row, text=without_asides(row.text, _request(log, row))) for row in said]
    write_table(space.path("data/rewrites"), Rewrite, rows, user=lambda row: row.user_id, note=noted(wanting))
    sources = Counter(str(row.source) for row in rows)
    note = f"used {used(space, store, asked)} of {len(asked)} complaints this cycle, {config.tries} tries each"
    shortened = sum(row.text != whole.text for row, whole in zip(rows, said, strict=True))
    counts: dict[str, int | float | str] = {
        **sources,
        "complaints": len(found),
        "asides taken off": shortened,
        **unanswered(asked, store),
    }
    counts |= judged(space, teachers, store, model)
    written = [row.cut for row in rows if row.source == "rewrite"]
    counts["cut off"] = sum(written)
    note += f"; {wanting}" if wanting else cut_off(written, config.sampling.max_new_tokens)
    if len(found) > len(asked):
        counts["too long for the rewriter with the answer"] = len(found) - len(asked)
    return Outcome(new, max(0, len(rows) - new * config.tries), counts, note)


def _readable(one: SampleRequest, model: ChatModel) -> SampleRequest | None:
    """The request as the model reads all of it that has to be read: if need be without tools' results; else None."""
    if one.whole == 1 or model.fits(one.core):
        return one
    return spoken if model.fits((spoken := one.spoken).core) else None


def _request(log: Log, row: Rewrite) -> str:
    return request(log.conversations[row.conversation_id].turns, row.turn_index)
