"""Chroma as classes: which bins there are, how rare each is, and soft targets for a colour."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GRID = 10
"""Spacing of the bins in units of ab."""
NEAREST = 5
SIGMA = 5.0
"""A colour is spread over its 5 nearest bins by a Gaussian of 5 units (Zhang et al. 2016)."""
REACH = 112
"""Colours of sRGB stay within +-108 of ab."""

Floats = NDArray[np.float32]


def count_bins(ab: Floats, *, share: float = 2e-5) -> tuple[Floats, Floats]:
    """The bins that occur in ab (N, 2), and how often: (Q, 2) centres and (Q,) shares.

    A bin occurs if at least ``share`` of all colours lie nearest to it.
    """
    cells = np.rint(ab / GRID).astype(np.int64)
    centres, counts = np.unique(cells, axis=0, return_counts=True)
    keep = counts >= share * len(ab)
    shares = counts[keep] / counts[keep].sum()
    return (centres[keep] * GRID).astype(np.float32), shares.astype(np.float32)


class ChromaClasses(torch.nn.Module):
    """Soft targets and rarity weights of a set of bins, by table.

    Args:
        bins: (Q, 2) centres.
        shares: (Q,) how often each occurs; they sum to 1.
        rebalance: lambda of Zhang et al. 2016, equation 4: the weight of a bin is proportional
            to 1 / ((1 - lambda) share + lambda / Q); the mean weight of a pixel is 1.
    """

    def __init__(self, bins: Tensor, shares: Tensor, *, rebalance: float) -> None:
        super().__init__()
        side = torch.arange(-REACH, REACH + 1, dtype=torch.float32)
        grid = torch.stack(torch.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
        distance, nearest = torch.cdist(grid, bins).topk(NEAREST, largest=False)
        soft = torch.softmax(-(distance**2) / (2 * SIGMA**2), 1)
        rarity = 1 / ((1 - rebalance) * shares + rebalance / len(bins))
        self.register_buffer("nearest", nearest)
        self.register_buffer("soft", soft)
        self.register_buffer("rarity", rarity / (rarity * shares).sum())

    nearest: Tensor
    soft: Tensor
    rarity: Tensor

    def encode(self, ab: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ab (N, 2, h, w) to nearest bins, their shares (N, 5, h, w) and weights (N, h, w)."""
        cell = ab.round().long().clamp(-REACH, REACH) + REACH
        row = cell[:, 0] * (2 * REACH + 1) + cell[:, 1]
        nearest, soft = self.nearest[row], self.soft[row]
        weight = self.rarity[nearest[..., 0]]
        return nearest.permute(0, 3, 1, 2), soft.permute(0, 3, 1, 2), weight


class RebalancedChromaLoss(torch.nn.Module):
    """Cross entropy of the distribution over chroma, rare colours weighing more.

    Zhang, Isola, Efros 2016 (arXiv 1603.08511), equation 2. Only the five bins of the target and
    a log-sum-exp are touched, not a dense target of Q planes.
    """

    def __init__(self, classes: ChromaClasses) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, logits: Tensor, ab: Tensor) -> Tensor:
        """Logits (N, Q, h, w) and true ab (N, 2, h, w) to one number."""
        nearest, soft, weight = self.classes.encode(ab)
        logits = logits.float()
        chosen = (logits.gather(1, nearest) * soft).sum(1)
        return ((logits.logsumexp(1) - chosen) * weight).mean()


def expected_ab(logits: Tensor, bins: Tensor) -> Tensor:
    """Logits (N, Q, h, w) to the distribution's plain mean, ab (N, 2, h, w)."""
    return torch.einsum("nqhw,qc->nchw", torch.softmax(logits.float(), 1), bins)
