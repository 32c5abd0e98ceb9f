"""Checkpoints of a run: safetensors for tensors, JSON for the rest, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from photochrom.errors import TrainingError
from photochrom.whole import written_whole

KEEP = 2
"""Checkpoints kept in a run folder, newest first."""


def save(
    folder: Path, step: int, parts: dict[str, dict[str, Tensor]], facts: dict[str, Any]
) -> Path:
    """Writes ``checkpoint-<step>.safetensors``; each part's tensors are named ``part/key``."""
    tensors = {f"{part}/{key}": t for part, state in parts.items() for key, t in state.items()}
    path = folder / f"checkpoint-{step:07d}.safetensors"
    write_tensors(path, tensors, {"facts": json.dumps({**facts, "step": step})})
    for old in sorted(folder.glob("checkpoint-*.safetensors"))[:-KEEP]:
        old.unlink()
    return path


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file that appears under its name only once it is whole and on disk."""
    copies = {key: t.detach().contiguous().clone() for key, t in tensors.items()}
    with written_whole(path) as part:
        save_file(copies, part, metadata)


def latest(folder: Path) -> Path | None:
    """The newest checkpoint of a run folder, None if there is none."""
    return max(folder.glob("checkpoint-*.safetensors"), default=None)


def load(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """The parts and facts that ``save`` wrote."""
    parts: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118
                part, _, key = name.partition("/")
                parts.setdefault(part, {})[key] = file.get_tensor(name)
            facts = json.loads(file.metadata()["facts"])
    except Exception as error:
        raise TrainingError(
            f"not a readable checkpoint ({error})",
            file=path,
            cure="Delete it: the one before serves.",
        ) from None
    return parts, facts


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimiser as named tensors: ``<parameter>.<entry>``."""
    state = optimiser.state_dict()["state"]
    return {f"{n}.{k}": torch.as_tensor(v) for n, row in state.items() for k, v in row.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Puts back what ``optimiser_tensors`` gave; rates and groups stay the optimiser's own."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = tensor
    whole = optimiser.state_dict()
    optimiser.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
