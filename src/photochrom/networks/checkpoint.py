"""Weight files: published `.pth` in all their forms, and safetensors. No pickle's code ever runs.

A file is known by what is in it, never by its name: the artistic weights under the stable name
are read as what they are, `deep`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from photochrom.errors import MissingExtra, OutputError, WeightsError
from photochrom.networks.critic import critic
from photochrom.networks.disguise import looks_like
from photochrom.networks.unet import deep, wide
from photochrom.whole import written_whole

NetworkName = Literal["deep", "wide", "critic", "lite"]
Layout = Literal["bare", "with optimiser", "safetensors"]

BUILDERS: dict[NetworkName, Callable[[], nn.Module]] = {
    "deep": deep,
    "wide": wide,
    "critic": critic,
}
_FETCH_AGAIN = "Download it again and compare its size and sha256 with the publisher's."
_KNOWN = (
    "photochrom reads DeOldify's artistic, stable, video and critic weights (since 2019-05) "
    "and its own."
)


@dataclass(frozen=True)
class Checkpoint:
    """What a weight file holds.

    Attributes:
        weights: state dict in the network's own order, on the CPU, as stored.
        network: the network it belongs to, by its keys and shapes.
        layout: how the file was laid out.
        sha256: fingerprint of the file.
        metadata: the facts a safetensors file carries; empty for others.
    """

    weights: dict[str, Tensor] = field(repr=False)
    network: NetworkName
    layout: Layout
    sha256: str
    metadata: dict[str, str]


def empty(network: NetworkName) -> nn.Module:
    """The network without memory for its weights, on the meta device."""
    with torch.device("meta"):
        return BUILDERS[network]()


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a weight file of any known form.

    Raises:
        WeightsError: the file is missing, damaged, not a weight file, of another network, or a
            pickle that asks for code.
        MissingExtra: a safetensors file, and safetensors is not installed.
    """
    path = Path(path)
    kind = _kind(path)
    if kind == "safetensors":
        weights, metadata = _read_safetensors(path)
        layout: Layout = "safetensors"
    else:
        layout, weights = _unwrap(_read_torch(path), path)
        metadata = {}
    network = _recognise(weights, path)
    if network in BUILDERS:
        weights = {key: weights[key] for key in _shapes(network)}
    return Checkpoint(weights, network, layout, _sha256(path), metadata)


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> None:
    """Write a weight file anew as safetensors, whole or not at all.

    Its metadata are the source's own, the network's name and the source's sha256.

    Args:
        source: any file that `read` reads.
        target: the safetensors file to write.
        overwrite: replace an existing target.

    Raises:
        WeightsError: as `read`.
        OutputError: the target exists, or cannot be written.
    """
    target = Path(target)
    if target.exists() and not overwrite:
        raise OutputError("already exists", file=target, cure="Name another file or --overwrite.")
    found = read(source)
    own = {"format": "pt", "network": found.network, "source_sha256": found.sha256}
    weights = {key: value.contiguous() for key, value in found.weights.items()}
    metadata = found.metadata | own
    safetensors = _safetensors()
    try:
        with written_whole(target) as part:
            safetensors.torch.save_file(weights, part, metadata)
    except (OSError, safetensors.SafetensorError) as fault:
        raise OutputError(
            f"cannot be written ({getattr(fault, 'strerror', None) or fault})",
            file=target,
            cure="Choose a folder that you may write to and that has room.",
        ) from fault


def _kind(path: Path) -> Literal["torch", "safetensors"]:
    """Whether the file can be a weight file at all; what else it looks like is an error."""
    if not path.exists():
        raise WeightsError("there is no such file", file=path, cure="Check the path.")
    try:
        seeming = looks_like(path)
    except OSError as fault:
        raise WeightsError(f"cannot be read ({fault.strerror})", file=path) from fault
    if seeming.weights is None:
        raise WeightsError(
            f"this is {seeming.name}, not a weight file", file=path, cure=seeming.cure
        )
    return seeming.weights


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Ignored:
    """Stands in for whatever an optimiser's state names besides tensors; does nothing."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


# The optimiser's state is thrown away: its slices and numpy numbers need not be made, only passed.
_IN_OPTIMISERS = (
    "__builtin__.slice",
    "builtins.slice",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
)


def _read_torch(path: Path) -> Any:
    stand_ins: list[Any] = [(_Ignored, name) for name in _IN_OPTIMISERS]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as fault:  # a broken file can make torch raise nearly anything
        named = re.search(r"GLOBAL (\S+)", str(fault)) or re.search(r"function (.+)", str(fault))
        if named:
            raise WeightsError(
                f"its pickle asks to run {named[1]}, which weights never need; nothing was run",
                file=path,
                cure="Do not use this file unless you trust it; get a plain state dict instead.",
            ) from None
        raise WeightsError(
            "the file is damaged or cut off", file=path, cure=_FETCH_AGAIN
        ) from fault


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    safetensors = _safetensors()
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return weights, file.metadata() or {}
    except safetensors.SafetensorError as fault:
        raise WeightsError(
            "the file is damaged or cut off", file=path, cure=_FETCH_AGAIN
        ) from fault


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ModuleNotFoundError:
        raise MissingExtra("A safetensors file", "torch") from None
    return safetensors


def _unwrap(content: object, path: Path) -> tuple[Layout, dict[str, Tensor]]:
    """The state dict in what torch read, and where it was."""
    layout: Layout = "bare"
    if isinstance(content, dict) and set(content) == {"model", "opt"}:
        layout, content = "with optimiser", content["model"]
    if isinstance(content, dict) and content:
        weights = {key: value for key, value in content.items() if isinstance(value, Tensor)}
        if len(weights) == len(content) and all(isinstance(key, str) for key in weights):
            return layout, weights
    raise WeightsError(
        f"it holds {_describe(content)}, not a network's weights", file=path, cure=_KNOWN
    )


def _describe(content: object) -> str:
    if not isinstance(content, dict):
        return f"one {type(content).__name__}"
    names = ", ".join(repr(key) for key in list(content)[:3])
    return f"a dictionary of {names}{' ...' if len(content) > 3 else ''}" if content else "nothing"


@cache
def _shapes(network: NetworkName) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in empty(network).state_dict().items()}


def _recognise(weights: Mapping[str, Tensor], path: Path) -> NetworkName:
    """The network that has these keys and shapes."""
    if any(key.startswith("encoder.stem") for key in weights):
        return "lite"
    found = {key: tuple(value.shape) for key, value in weights.items()}
    shared = {name: len(found.items() & _shapes(name).items()) for name in BUILDERS}
    best = max(shared, key=lambda name: shared[name])
    if found == _shapes(best):
        return best
    if shared[best] < len(found) / 2:
        raise WeightsError(f"it is of another network: {_describe(found)}", file=path, cure=_KNOWN)
    raise WeightsError(_difference(found, best), file=path, cure=_FETCH_AGAIN)


def _difference(found: Mapping[str, tuple[int, ...]], network: NetworkName) -> str:
    """How a state dict fails to be the one that it resembles."""
    wanted = _shapes(network)
    missing, foreign = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    misshapen = {key for key in wanted.keys() & found.keys() if wanted[key] != found[key]}
    parts = [
        f"{len(keys)} {what} (such as {min(keys)})"
        for keys, what in (
            (missing, "missing"),
            (foreign, "unknown"),
            (misshapen, "of another shape"),
        )
        if keys
    ]
    return f"it resembles {network}, but of its entries " + ", ".join(parts)
