"""What ``auto`` means: bf16 where instructions for it are at hand."""

from __future__ import annotations

import pytest
import torch

from rlhi.models.precision import _on_cpu, computed, dtype


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"architecture": "x86_64", "avx2": True, "avx512_f": False, "avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({"architecture": "x86_64", "avx512_f": True, "avx512_bf16": False}, "fp32"),
        ({"architecture": "x86_64", "avx512_f": True, "avx512_bf16": True}, "bf16"),
        ({"architecture": "x86_64", "amx_bf16": True}, "bf16"),
        ({"architecture": "aarch64", "neon": True, "bf16": True}, "bf16"),
        ({"architecture": "aarch64", "neon": True, "bf16": False}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_auto_asks_the_cpu(capabilities: dict[str, object], precision: str) -> None:
    assert _on_cpu(capabilities) == precision


def test_this_machine_says_what_it_can() -> None:
    """The names that we ask for are names that torch gives."""
    known = torch.cpu.get_capabilities()
    assert any(name in known for name in ("avx512_bf16", "bf16")), known
    assert dtype() == {"bf16": torch.bfloat16, "fp32": torch.float32}[computed("auto")]


def test_what_is_said_is_done() -> None:
    assert computed("bf16") == "bf16" and computed("fp32") == "fp32"
    assert dtype("bf16") is torch.bfloat16 and dtype("fp32") is torch.float32
