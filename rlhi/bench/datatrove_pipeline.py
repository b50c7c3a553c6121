"""The steps of the stage `ingest` as a datatrove pipeline: what `rlhi bench ingest` compares with.

datatrove is no dependency of rlhi: `pip install 'rlhi[bench]'`. Where it has a block for a step, that block is used
(readers, e-mail and IP redaction, MinHash in 14 bands of 8, clusters, parquet writer). Language and the bounds are our
functions in a block of its. Words are split at spaces, as ours are: its English tokenizer is slower. Conversations that
grow, templates, users, phones, cards and keys have no block in it: it does less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow.dataset as ds
from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter, ParquetWriter
from datatrove.utils.word_tokenizers import WordTokenizer

from rlhi.collect.clean.identify import identify
from rlhi.config import IngestConfig
from rlhi.contracts import Turn

TASKS, WORKERS = 8, 2
BATCH = 1000  # our language identification takes many at once, here as there


class Spaces(WordTokenizer):  # type: ignore[misc]
    """Words are what stands between spaces, as for our signatures."""

    def word_tokenize(self, text: str) -> list[str]:
        """The words."""
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        """Not asked for: the whole text."""
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Not asked for: the whole text."""
        return [(0, len(text))]


class Accept(PipelineStep):  # type: ignore[misc]
    """The bounds on a conversation, and its language."""

    name = "accept"
    type = "filter"

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Documents within the bounds."""
        config = IngestConfig()
        source = iter(data)
        while batch := list(islice(source, BATCH)):
            kept = [
                document
                for document in batch
                if len(document.metadata["turns"]) <= config.max_turns and len(document.text) <= config.max_characters
            ]
            turns = [[Turn(one["role"], one["content"]) for one in document.metadata["turns"]] for document in kept]
            for document, language in zip(kept, identify(turns), strict=True):
                document.metadata["told"] = language or ""  # its writer takes a column's type from the first document
                yield document


def as_document(_reader: object, row: dict[str, object], path: str, number: int) -> dict[str, object]:
    """A conversation as datatrove's document: the turns' text, one after the other."""
    turns = row.get("turns")
    texts = [turn["content"] for turn in turns] if isinstance(turns, list) else []
    return {"text": "\n".join(texts), "id": f"{path}/{number}", "metadata": dict(row)}


def run_pipeline(logs: Path, folder: Path) -> int:
    """Read every log of a folder, write the kept documents as parquet under ``folder``; how many are kept."""
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)

    def run(name: str, tasks: int, *steps: PipelineStep) -> None:
        logging = str(folder / "logs" / name)
        LocalPipelineExecutor(list(steps), tasks=tasks, workers=WORKERS, logging_dir=logging).run()

    cleaned, signatures = str(folder / "cleaned"), str(folder / "signatures")
    buckets, removed, kept = str(folder / "buckets"), str(folder / "removed"), str(folder / "kept")
    run("clean", TASKS, JsonlReader(str(logs), adapter=as_document), Accept(), PIIFormatter(), JsonlWriter(cleaned))
    run("sign", TASKS, JsonlReader(cleaned), MinhashDedupSignature(signatures, config, language=Spaces()))
    run("bands", config.num_buckets, MinhashDedupBuckets(signatures, buckets, config=config))
    run("cluster", 1, MinhashDedupCluster(buckets, removed, config=config))
    run("write", TASKS, JsonlReader(cleaned), MinhashDedupFilter(removed), ParquetWriter(kept))
    return int(ds.dataset(kept).count_rows())
