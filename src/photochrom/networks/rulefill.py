"""Deterministic weights and inputs for tests and benchmarks: no file, no random numbers.

Every value follows from its key and its index by an integer hash, so that two implementations
of one network can be compared, and speed can be measured, without a weight file.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float32]

_ENCODER_NORM = {
    "weight": (0.8, 1.2),
    "bias": (-0.2, 0.2),
    "running_mean": (-0.2, 0.2),
    "running_var": (0.8, 1.2),
}
_DECODER_NORM = _ENCODER_NORM | {"running_mean": (0.3, 0.7), "running_var": (0.4, 0.8)}
_ELSEWHERE = {"gamma": (0.6, 0.9), "bias": (-0.2, 0.2), "weight_g": (1.2, 2.0)}
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


def rule_weights(network: nn.Module) -> dict[str, Tensor]:
    """Weights for every key of the network, which may lie on the meta device.

    Use: ``network.load_state_dict(rule_weights(network), assign=True)``.
    """
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights: dict[str, Tensor] = {}
    for key, shape in shapes.items():
        if key.endswith("num_batches_tracked"):
            weights[key] = torch.tensor(1 + _hash_of(key) % 1000)
        elif not _is_spectral_vector(key, shape):
            weights[key] = torch.from_numpy(_spread(key, shape, *_bounds(key, shapes)))
    for key in shapes:
        if key.endswith(".weight_orig"):
            stem = key.removesuffix("weight_orig")
            u, v = _spectral_vectors(stem, weights[key].flatten(1).numpy())
            weights[f"{stem}weight_u"], weights[f"{stem}weight_v"] = u, v
    return {key: weights[key] for key in shapes}


def rule_input(height: int, width: int) -> Floats:
    """A normalised input (1, 3, height, width): ramps, a check pattern and noise, not grey."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    noise = ((_hashed("pixels", height * width) + 1) * 16).astype(np.int64).reshape(height, width)
    pixels = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        ramp = (3 * x + (5 + 2 * channel) * y + 40 * channel) % 384
        check = (x // 8 + y // (6 + channel)) % 2
        values = np.minimum(ramp, 383 - ramp) + 32 * check + noise
        pixels[..., channel] = values.clip(0, 255)
    scaled = (pixels / np.float32(255) - _IMAGENET_MEAN) / _IMAGENET_STD
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))[None]


def _hash_of(key: str) -> int:
    """FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in key.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def _hashed(key: str, count: int) -> Floats:
    """Values in [-1, 1), exact multiples of 2**-23: a bit mixer over key and index."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(_hash_of(key))
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x ^= x >> np.uint32(shift)
        x *= np.uint32(factor)
    return (x >> np.uint32(8)).astype(np.float32) * np.float32(2**-23) - np.float32(1)


def _spread(key: str, shape: tuple[int, ...], low: float, high: float) -> Floats:
    values = _hashed(key, int(np.prod(shape, dtype=np.int64)))
    values *= np.float32((high - low) / 2)
    values += np.float32((high + low) / 2)
    return values.reshape(shape)


def _bounds(key: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[float, float]:
    """The range of an entry's values."""
    stem, _, leaf = key.rpartition(".")
    if f"{stem}.running_mean" in shapes:
        if not key.startswith("layers.0."):
            return _DECODER_NORM[leaf]
        # small, so that the sums of the residual blocks do not explode
        return (0.1, 0.3) if _ends_block(stem, leaf, shapes) else _ENCODER_NORM[leaf]
    if leaf in _ELSEWHERE:
        return _ELSEWHERE[leaf]
    reach = float(np.sqrt(6 / np.prod(shapes[key][1:], dtype=np.int64)))
    return -reach, reach


def _ends_block(stem: str, leaf: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether this is the weight of the last norm in a residual block."""
    block, _, name = stem.rpartition(".")
    last = "bn3" if f"{block}.bn3.weight" in shapes else "bn2"
    return leaf == "weight" and name == last


def _is_spectral_vector(key: str, shape: tuple[int, ...]) -> bool:
    return key.endswith((".weight_u", ".weight_v")) and len(shape) == 1


def _spectral_vectors(stem: str, matrix: Floats) -> tuple[Tensor, Tensor]:
    """u and v of a convolution: unit, of one sign, and on purpose not converged.

    Converged ones would hide a network that runs a power step where it should not.
    """
    wide = matrix.astype(np.float64)
    v = _unit(_hashed(f"{stem}weight_v", wide.shape[1]).astype(np.float64))
    if stem.endswith((".query.", ".key.")):
        for _ in range(8):
            v = _unit(wide.T @ (wide @ v))
    else:
        v = _unit(v + _unit(wide.T @ (wide @ v)))
    u = _unit(wide @ v)
    return torch.from_numpy(u.astype(np.float32)), torch.from_numpy(v.astype(np.float32))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.sqrt(vector @ vector)
