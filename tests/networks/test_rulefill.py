"""The rule's weights and inputs are those that the recorded outputs were made with."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from torch import nn

from photochrom.networks.checkpoint import empty
from photochrom.networks.rulefill import rule_input, rule_weights


@pytest.fixture(scope="module")
def published_rule(reference):
    spec = importlib.util.spec_from_file_location("published_rule", reference / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_weights_equal_the_published_rule(published_rule, reference, network_of):
    """Spectral vectors may differ by one unit in the last place between matrix libraries."""
    entries = json.loads((reference / "keys_deep.json").read_text())
    expected = published_rule.fill(entries)
    for key, value in network_of("deep").state_dict().items():
        if key.endswith(("weight_u", "weight_v")) and value.ndim == 1:
            np.testing.assert_array_almost_equal_nulp(value.numpy(), expected[key], 1)
        else:
            np.testing.assert_array_equal(value.numpy(), expected[key], err_msg=key)


@pytest.mark.parametrize("name", ["deep", "wide", "critic"])
def test_input_equals_the_recorded_one(name, golden):
    np.testing.assert_array_equal(rule_input(64, 64), golden(name)["input_64x64"])


def test_weights_fit_their_network_and_follow_from_its_keys_alone():
    first, second = nn.Sequential(nn.Conv2d(3, 4, 3)), nn.Sequential(nn.Conv2d(3, 4, 3))
    first.load_state_dict(rule_weights(first))
    second.load_state_dict(rule_weights(second))
    assert first[0].weight.equal(second[0].weight)
    assert first[0].weight.abs().max() <= np.sqrt(6 / 27)


def test_weights_cover_a_network_on_the_meta_device():
    encoder = empty("deep").layers[0]
    weights = rule_weights(encoder)
    assert list(weights) == list(encoder.state_dict())
    assert not any(value.is_meta for value in weights.values())
