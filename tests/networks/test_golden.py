"""The networks are the original's: keys, outputs, every activation, every effective weight."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from photochrom.networks.checkpoint import empty
from photochrom.networks.layers import NormalizedConv
from photochrom.networks.rulefill import rule_input

NAMES = ["deep", "wide", "critic"]
TOLERANCE = {"deep": 2e-5, "wide": 2e-5, "critic": 5e-6}
SIDES = {
    "deep": ["16x16", "64x64", "72x104", "80x80", "96x160", "160x160"],
    "wide": ["16x16", "64x64", "72x104", "80x80", "96x160", "160x160"],
    "critic": ["64x64", "96x96", "96x160", "192x192"],
}


def an_input(size: str) -> torch.Tensor:
    height, width = map(int, size.split("x"))
    return torch.from_numpy(rule_input(height, width))


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_has_the_published_keys_shapes_and_order(name, reference):
    published = json.loads((reference / f"keys_{name}.json").read_text())
    ours = [
        [key, list(value.shape), str(value.dtype).removeprefix("torch.")]
        for key, value in empty(name).state_dict().items()
    ]
    assert ours == published


@pytest.mark.parametrize("name", NAMES)
def test_all_recorded_sizes_are_compared(name, golden):
    recorded = {key.removeprefix("out_") for key in golden(name) if key.startswith("out_")}
    assert recorded == set(SIDES[name])


@pytest.mark.parametrize(("name", "size"), [(name, size) for name in NAMES for size in SIDES[name]])
def test_output_equals_the_recorded_one(name, size, network_of, golden):
    with torch.no_grad():
        output = network_of(name)(an_input(size)).numpy()
    recorded = golden(name)[f"out_{size}"]
    assert output.shape == recorded.shape
    assert np.abs(output - recorded).max() <= TOLERANCE[name]


def record(network: nn.Module, names: list[str], picture: torch.Tensor) -> dict[str, np.ndarray]:
    """What the named modules return, in the order in which they do."""
    returned: dict[str, np.ndarray] = {}

    def keep(name: str):
        def hook(_module, _inputs, output):
            features = output[-1] if isinstance(output, list) else output
            returned[name] = features.numpy().copy()  # later layers work in place

        return hook

    hooks = [network.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    with torch.no_grad():
        network(picture)
    for hook in hooks:
        hook.remove()
    return returned


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_equals_the_recorded_one(name, network_of, golden):
    size = "96x96" if name == "critic" else "80x80"
    recorded = golden(name)
    order = [str(module) for module in recorded[f"act_{size}/order"]]
    returned = record(network_of(name), order, an_input(size))

    assert list(returned) == order
    for module, values in returned.items():
        act = f"act_{size}/{module}"
        stats = recorded[f"{act}/stats"]
        room = 2e-5 * max(1, np.abs(stats[2:]).max())
        assert values.shape == tuple(recorded[f"{act}/shape"]), module
        sampled = values.ravel()[np.arange(64) * values.size // 64]
        assert np.abs(sampled - recorded[f"{act}/val"]).max() <= room, module
        ours = [values.mean(dtype=float), values.std(dtype=float), values.min(), values.max()]
        assert np.abs(ours - stats).max() <= room, module


@pytest.mark.parametrize("name", NAMES)
def test_every_effective_weight_equals_the_recorded_one(name, network_of, golden):
    recorded = {
        key.removeprefix("weff/").removesuffix("/val"): values
        for key, values in golden(name).items()
        if key.startswith("weff/")
    }
    convs = {
        path: module
        for path, module in network_of(name).named_modules()
        if isinstance(module, NormalizedConv)
    }
    assert convs.keys() == recorded.keys()
    for path, conv in convs.items():
        weight = conv.effective_weight().detach().numpy().ravel()
        sampled = weight[np.arange(16) * weight.size // 16]
        np.testing.assert_allclose(sampled, recorded[path], rtol=1e-5, atol=1e-7, err_msg=path)
