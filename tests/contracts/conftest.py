"""Models with made-up weights, as the files that engines open."""

from __future__ import annotations

import pytest

from photochrom.models import Model, cards


@pytest.fixture(scope="session")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """``lite`` with random weights and 40 bins, exported."""
    export = pytest.importorskip("photochrom.networks.export")
    path = tmp_path_factory.mktemp("lite") / "lite.onnx"
    export.export_lite(random_lite(), path, facts={"name": "lite", "licence": "none"})
    return Model(cards()["lite"], path)


def random_lite(bins: int = 40, channels: int = 1):
    """A network whose every part matters to the output: norms, gate and head are not at rest."""
    import torch
    from torch import nn

    from photochrom.networks.lite import Lite

    with torch.random.fork_rng():
        torch.manual_seed(0)
        grid = torch.cartesian_prod(torch.arange(-60, 70, 20), torch.arange(-60, 70, 20))
        network = Lite(grid[:bins], channels=channels)
        nn.init.constant_(network.attention.gate, 0.5)
        nn.init.normal_(network.head.weight, 0, 0.01)
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = None  # a plain mean: one pass makes every layer's values of order one
            nn.init.uniform_(norm.weight, 0.8, 1.2)
            nn.init.uniform_(norm.bias, -0.1, 0.1)
        with torch.no_grad():
            network.train()(torch.rand(8, channels, 96, 96))
    return network.eval()
