"""Models by name: the one place where params.yaml's strings become backends."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from rlhi.config import ModelsConfig, Precision, SamplingConfig
from rlhi.models.base import ChatModel, Copy, Embedder, ModelError, Policy, StructuredModel
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace

OnPrompts = Callable[[int], None]


def chat_model(space: Workspace, name: str, sampling: SamplingConfig, models: ModelsConfig) -> ChatModel:
    """The chat model called ``name``: ``champion``, ``local:PATH``, ``openai:URL#MODEL`` or ``scripted:FILE``.

    Raises:
        ModelError: no such kind, or the model is not there.
    """
    kind, _, rest = name.partition(":")
    if name == "champion":
        version = ledger.pinned(space.root).champion
        return local_model(ledger.policy_path(space.root, version), f"policy@{version}", sampling, models)
    if kind == "local" and rest:
        return local_model(Path(rest).expanduser(), name, sampling, models)
    if kind == "openai" and rest:
        from rlhi.models.openai_api import OpenAIChatModel

        return OpenAIChatModel(rest)
    if kind == "scripted" and rest:
        from rlhi.models.scripted import ScriptedChatModel

        return ScriptedChatModel.load(Path(rest).expanduser())
    raise ModelError(f"no model {name!r}: champion, local:PATH, openai:http://HOST:PORT/v1#NAME or scripted:FILE")


def structured_model(name: str, tries: int, most_tokens: int) -> StructuredModel:
    """The model that replies in a given shape: ``openai:URL#MODEL``, asked ``tries`` times at most.

    Raises:
        ModelError: no such kind.
    """
    kind, _, rest = name.partition(":")
    if kind != "openai" or not rest:
        raise ModelError(f"no model {name!r} that replies by schema: openai:http://HOST:PORT/v1#NAME")
    from rlhi.models.openai_structured import OpenAIStructuredModel

    return OpenAIStructuredModel(rest, tries, most_tokens)


def local_model(
    path: Path, name: str, sampling: SamplingConfig, models: ModelsConfig, on_prompts: OnPrompts | None = None
) -> Policy:
    """A model in a folder, loaded when it is first asked. Another engine for it is chosen here.

    ``on_prompts`` is told how many more prompts were answered, for a progress bar.
    """
    from rlhi.models.local import LocalChatModel, quiet

    quiet()
    return LocalChatModel(path, name, sampling.context_tokens, sampling.batch, models.precision, on_prompts)


def default_engine() -> str:
    """The engine of the workspace's own models on this machine, where params.yaml says nothing of it."""
    from rlhi.models.local import engine_of

    return engine_of(ModelsConfig().precision)


def training_copy(path: Path, context_tokens: int, precision: Precision) -> Copy:
    """What a training process asks whether its model still answers: it begins as the model in a folder.

    It takes the weights that train, and so runs where they do: no engine that samples fast is one.
    """
    from rlhi.models.local import LocalChatModel

    return LocalChatModel(path, context_tokens=context_tokens, precision=precision)


def yardstick(space: Workspace, sampling: SamplingConfig, models: ModelsConfig) -> Policy:
    """The frozen model that tells a request from a reply: the workspace's first champion, or ``local:PATH``."""
    name = models.yardstick
    if name.startswith("local:"):
        return local_model(Path(name.removeprefix("local:")).expanduser(), name, sampling, models)
    version = ledger.FIRST_VERSION
    return local_model(ledger.policy_path(space.root, version), f"policy@{version}", sampling, models)


def embedder(models: ModelsConfig) -> Embedder:
    """The sentence embedder: the embedded one, or ``local:PATH``."""
    from rlhi.models.local import quiet

    quiet()
    return _embedder(embedder_folder(models))


def embedder_folder(models: ModelsConfig) -> Path:
    """Where it lies.

    Raises:
        ModelError: it was not prepared, or there is no such kind.
    """
    from rlhi.models.prepare import embedder_path

    name = models.embedder
    if name == "embedded":
        return embedder_path()
    if name.startswith("local:"):
        return Path(name.removeprefix("local:")).expanduser()
    raise ModelError(f"no embedder {name!r}: `embedded` or local:PATH")


def remembering(models: ModelsConfig) -> Embedder:
    """The same for one pass of a stage that asks for the same texts again and again.

    New for each pass: the last bits of an embedding depend on what it was computed beside, and equal inputs shall give
    equal bytes whatever ran before in this process.
    """
    from rlhi.models.embedder import RememberingEmbedder

    return RememberingEmbedder(embedder(models))


@cache
def _embedder(path: Path) -> Embedder:
    from rlhi.models.embedder import LocalEmbedder

    return LocalEmbedder(path)
