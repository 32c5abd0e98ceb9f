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
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from photochrom.errors import MissingExtra, OutputError, WeightsError
from photochrom.networks.critic import critic
from photochrom.networks.disguise import looks_like
from photochrom.networks.lite import Lite
from photochrom.networks.unet import deep, wide
from photochrom.whole import written_whole

NetworkName = Literal["deep", "wide", "critic", "lite"]
Layout = Literal["bare", "with optimiser", "safetensors"]
Shapes = dict[str, tuple[int, ...]]

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
        path: the file.
        weights: state dict in the network's own order, on the CPU, as stored.
        network: the network it belongs to, by its keys and shapes.
        layout: how the file was laid out.
        metadata: the facts a safetensors file carries; empty for others.
    """

    path: Path
    weights: dict[str, Tensor] = field(repr=False)
    network: NetworkName
    layout: Layout
    metadata: dict[str, str]

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of the file, in hexadecimal."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def build(self) -> nn.Module:
        """The network with these weights, as stored, in eval mode."""
        network = Lite.shaped_like(self.weights) if self.network == "lite" else empty(self.network)
        network.load_state_dict(self.weights, assign=True)
        return network.eval()


def empty(network: NetworkName) -> nn.Module:
    """One of the original's networks without memory for its weights, on the meta device."""
    with torch.device("meta"):
        return BUILDERS[network]()


def read(path: str | os.PathLike[str], *, mapped: bool = False) -> Checkpoint:
    """Read a weight file of any known form.

    Args:
        path: the file.
        mapped: leave the values on the disk, unchecked, until they are used, where the form
            allows it; for looking at what a file is.

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
        layout, weights = _unwrap(_read_torch(path, mapped=mapped and is_zipfile(path)), path)
        metadata = {}
    network, shapes = _recognise(weights, path)
    weights = {key: weights[key] for key in shapes}
    return Checkpoint(path, weights, network, layout, metadata)


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


def _read_torch(path: Path, *, mapped: bool) -> Any:
    stand_ins: list[Any] = [(_Ignored, name) for name in _IN_OPTIMISERS]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
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


def _recognise(weights: Mapping[str, Tensor], path: Path) -> tuple[NetworkName, Shapes]:
    """The network that has these keys and shapes, and they in its own order."""
    found = _shapes_of(weights)
    network: NetworkName = "lite"
    if any(key.startswith("encoder.stem.") for key in found):
        wanted = _lite_shapes(weights, path)
    else:
        shared = {name: len(found.items() & _shapes(name).items()) for name in BUILDERS}
        network = max(shared, key=lambda name: shared[name])
        wanted = _shapes(network)
        if shared[network] < len(found) / 2:
            raise WeightsError(
                f"it is of another network: {_describe(found)}", file=path, cure=_KNOWN
            )
    if found != wanted:
        difference = _difference(found, wanted)
        raise WeightsError(
            f"it resembles {network}, but of its entries {difference}", file=path, cure=_FETCH_AGAIN
        )
    return network, wanted


@cache
def _shapes(network: NetworkName) -> Shapes:
    return _shapes_of(empty(network).state_dict())


def _lite_shapes(weights: Mapping[str, Tensor], path: Path) -> Shapes:
    """As they must be for a ``lite`` of these widths and bins."""
    try:
        return _shapes_of(Lite.shaped_like(weights).state_dict())
    except (KeyError, IndexError) as fault:
        raise WeightsError(
            f"it resembles lite, but an entry that tells its widths is missing ({fault})",
            file=path,
            cure=_FETCH_AGAIN,
        ) from None


def _shapes_of(weights: Mapping[str, Tensor]) -> Shapes:
    return {key: tuple(value.shape) for key, value in weights.items()}


def _difference(found: Shapes, wanted: Shapes) -> str:
    """How a state dict fails to be the one that it resembles."""
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
    return ", ".join(parts)
