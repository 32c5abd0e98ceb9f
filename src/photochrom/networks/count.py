"""How much a network computes: multiply-adds of its convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import NormalizedConv


@torch.no_grad()
def multiply_adds(network: nn.Module, example: Tensor) -> int:
    """Multiply-adds of all convolutions in one forward pass of an example.

    Norms, activations and attention's products are left out; they are below one per cent here.
    (torch's own counter takes no notice of groups, and counts depthwise convolutions many times.)
    """
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, NormalizedConv):
            per_value = torch.Size(module.shape[1:]).numel()
        else:
            assert isinstance(module, nn.Conv1d | nn.Conv2d)
            per_value = module.weight[0].numel()
        total += output.numel() * per_value

    convolutions = [
        m for m in network.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | NormalizedConv)
    ]
    hooks = [module.register_forward_hook(count) for module in convolutions]
    modes = [(module, module.training) for module in network.modules()]
    network.eval()(example)
    for module, mode in modes:  # each by itself: parts may be frozen
        module.training = mode
    for hook in hooks:
        hook.remove()
    return total
