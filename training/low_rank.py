"""A linear layer with matrices of low rank beside it. Needs torch, which serving never imports."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import linear


class LowRank(torch.nn.Module):
    """``layer(x) + scale * up @ down @ x``; ``up`` starts at zero, so that at first nothing is changed.

    Parameters
    ----------
    layer : torch.nn.Linear
        Is not trained.
    """

    def __init__(self, layer: torch.nn.Linear, *, rank: int, scale: float):
        super().__init__()
        self.layer = layer
        self.down = torch.nn.Parameter(torch.randn(rank, layer.in_features) / math.sqrt(layer.in_features))
        self.up = torch.nn.Parameter(torch.zeros(layer.out_features, rank))
        self.scale = scale
        self.on = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layer(x)
        if not self.on:
            return y
        return y + linear(linear(x, self.down.to(x.dtype)), (self.scale * self.up).to(x.dtype))
