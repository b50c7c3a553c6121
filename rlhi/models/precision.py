"""Which numbers a machine computes with: ``auto`` in params.yaml, and models that only answer, are decided here.

Without instructions for it, bf16 is emulated: on a CPU with AVX2 alone, products of a 135M model's sizes took seven to
eight times as long as in fp32 (docs/log.md, 2026-11-27).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from rlhi.config import Precision

if TYPE_CHECKING:
    import torch

# As torch.cpu.get_capabilities names them: x86 with AVX-512 or AMX, ARM.
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


def computed(precision: Precision = "auto") -> Literal["bf16", "fp32"]:
    """What ``precision`` means on this machine: bf16 where its GPU, or else its CPU, has instructions for it."""
    if precision != "auto":
        return precision
    import torch

    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return _on_cpu(torch.cpu.get_capabilities())


def dtype(precision: Precision = "auto") -> torch.dtype:
    """:func:`computed` as a type of tensors."""
    import torch

    return torch.bfloat16 if computed(precision) == "bf16" else torch.float32


def _on_cpu(capabilities: Mapping[str, object]) -> Literal["bf16", "fp32"]:
    return "bf16" if any(capabilities.get(name) for name in BF16_INSTRUCTIONS) else "fp32"
