"""The recorded reference, and the original's networks with weights made by the rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from photochrom.networks.checkpoint import empty
from photochrom.networks.rulefill import rule_weights

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "deoldify"

Golden = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def reference() -> Path:
    if not REFERENCE.is_dir():
        pytest.skip(f"the recorded reference is not at {REFERENCE}")
    return REFERENCE


@pytest.fixture(scope="session")
def golden(reference: Path) -> Callable[[str], Golden]:
    return lambda name: dict(np.load(reference / f"golden_{name}.npz"))


@pytest.fixture(scope="session")
def network_of() -> Callable[[str], nn.Module]:
    """Networks by name, each built once; a test must leave them as it found them."""
    built: dict[str, nn.Module] = {}

    def build(name: str) -> nn.Module:
        if name not in built:
            network = empty(name)
            network.load_state_dict(rule_weights(network), assign=True)
            built[name] = network.eval()
        return built[name]

    return build
