"""Fitting a head's parts: networks, the axes of embeddings, calibration; all of them become plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlhi.collect.feedback.head import COMPONENTS
from rlhi.collect.feedback.network import standardised

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from rlhi.collect.feedback.network import Floats, Matrix


SPREADS = {"follow_up": 1.0, "request": 0.6}  # the request says less than the follow-up


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """One hidden layer with dropout, AdamW, cross-entropy."""

    members: int = 4
    hidden: int = 128
    epochs: int = 20
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.03
    dropout: float = 0.3


def fit_networks(
    rows: Floats,
    targets: Floats,
    weights: Floats,
    scaled: tuple[NDArray[np.bool_], int],
    config: NetworkConfig,
    seed: int,
) -> dict[str, Floats]:
    """Arrays for ``labeller_parts.networks``. ``targets`` are distributions ``[n, 6]``.

    ``scaled`` says of which rows mean and scale are taken, and how many leading columns are standardised by them; the
    others have a scale of their own. All members are trained at once, each with its own start, order and dropout.
    """
    import numpy as np
    import torch

    real, columns = scaled
    mean, spread = rows[real].mean(axis=0), rows[real].std(axis=0)
    mean[columns:], spread[columns:] = 0, 1
    # Half floats, as the head keeps them: the networks learn on what they will read.
    halves = mean.astype(np.float16), np.where(spread > 1e-3, spread, 1).astype(np.float16)
    arrays = {"mean": halves[0].astype(np.float32), "scale": halves[1].astype(np.float32)}
    draw = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(standardised(rows, arrays))
    y, w = torch.from_numpy(targets), torch.from_numpy(weights)
    layers = _layers(config.members, (x.shape[1], config.hidden, y.shape[1]), draw)
    optimiser = torch.optim.AdamW(layers, config.learning_rate, weight_decay=config.weight_decay)
    keep = 1 - config.dropout
    for _ in range(config.epochs):
        order = torch.argsort(torch.rand(config.members, len(x), generator=draw), dim=1)
        for batch in (order[:, at : at + config.batch] for at in range(0, len(x), config.batch)):
            given = x[batch]
            given = given * (torch.rand(given.shape, generator=draw) < keep) / keep
            hidden = torch.relu(torch.baddbmm(layers[1], given, layers[0]))
            hidden = hidden * (torch.rand(hidden.shape, generator=draw) < keep) / keep
            guess = torch.log_softmax(torch.baddbmm(layers[3], hidden, layers[2]), dim=2)
            optimiser.zero_grad()
            loss = -((guess * y[batch]).sum(dim=2) * w[batch]).mean(dim=1).sum()
            torch.autograd.backward(loss)
            optimiser.step()
    found = [layer.detach().numpy() for layer in layers]
    return arrays | {
        "weights1": found[0], "bias1": found[1][:, 0], "weights2": found[2], "bias2": found[3][:, 0],
    }  # fmt: skip


def _layers(members: int, sizes: tuple[int, int, int], draw: torch.Generator) -> list[torch.Tensor]:
    """Weights and biases of all members, uniform within one over the root of the inputs, as torch's Linear does."""
    import torch

    made: list[torch.Tensor] = []
    for inputs, outputs in ((sizes[0], sizes[1]), (sizes[1], sizes[2])):
        bound = inputs**-0.5
        for shape in ((members, inputs, outputs), (members, 1, outputs)):
            made.append((torch.rand(shape, generator=draw) * 2 - 1) * bound)
    return [layer.requires_grad_() for layer in made]


def principal_axes(embedded: Floats) -> dict[str, Floats]:
    """Centers ``[d]`` and axes ``[d, count]`` of follow-up and request, for ``labeller.joined``.

    Scaled so that the components' mean spread is that of ``SPREADS``: the first components stay the widest.
    """
    import numpy as np

    found: dict[str, Floats] = {}
    for at, (name, count) in enumerate(COMPONENTS.items()):
        vectors = embedded[:, at]
        center = vectors.mean(axis=0)
        _, singular, right = np.linalg.svd((vectors - center).astype(np.float64), full_matrices=False)
        spread = (singular[:count] / np.sqrt(len(vectors))).mean()
        axes = right[:count].T * SPREADS[name] / spread
        found |= {f"{name}_center": center.astype(np.float32), f"{name}_axes": axes.astype(np.float32)}
    return found


def calibrated(raw: Matrix, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the log odds of a re-attempt that make held-out probabilities true (Platt, 1999)."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    reattempt = np.clip(raw[:, :2].sum(axis=1), 1e-6, 1 - 1e-6)
    odds = np.log(reattempt / (1 - reattempt)).reshape(-1, 1)
    model = LogisticRegression(C=1e3).fit(odds, truth)
    return float(model.coef_[0, 0]), float(model.intercept_[0])
