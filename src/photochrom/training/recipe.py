"""Recipes: what a training run does, as a frozen tree read from TOML."""

from __future__ import annotations

import math
import tomllib
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from photochrom.errors import TrainingError
from photochrom.networks.efficientnet import LITE2


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of training at one crop size.

    The rate runs from ``rate`` to ``rate_end`` along half a cosine; equal ends keep it constant.
    """

    steps: int
    size: int
    """Side of the square crops in pixels, a multiple of 32."""
    batch: int
    rate: float
    """Learning rate of the decoder at the phase's start."""
    rate_end: float
    """... and at its end."""

    def __post_init__(self) -> None:
        if self.size % 32 or self.size <= 0:
            raise TrainingError(f"crop size {self.size} is not a multiple of 32")
        if min(self.steps, self.batch) < 1:
            raise TrainingError("a phase needs at least one step and a batch of one")
        if not (0 < self.rate < math.inf and 0 <= self.rate_end < math.inf):
            raise TrainingError(f"rates {self.rate} to {self.rate_end} are not above 0")

    def rate_at(self, step: int) -> float:
        """Learning rate at ``step`` of this phase, counted from 0."""
        way = 0.5 - 0.5 * math.cos(math.pi * step / self.steps)
        return self.rate + (self.rate_end - self.rate) * way


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole run of ``photochrom train generator``."""

    name: str
    phases: tuple[Phase, ...]
    seed: int = 0
    rebalance: float = 0.9
    """Lambda of Zhang et al. 2016: 1 weighs every colour alike, 0 by its rarity."""
    regression: float = 0.1
    """Weight of smooth L1 on the mean ab."""
    feature: float = 0.0
    """Weight of the VGG16 feature loss on the coloured picture; 0 leaves it out."""
    encoder_rate: float = 0.3
    """The encoder's learning rate as a share of the decoder's."""
    frozen_stages: int = 0
    """Stages of the encoder, with its stem, that keep their ImageNet weights; 0 trains all."""
    weight_decay: float = 0.01
    warmup: int = 200
    ema: float = 0.999
    watch: int = 1000
    """Steps between watch points: validation figures and a contact sheet."""
    checkpoint: int = 250
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        if not self.phases:
            raise TrainingError("the recipe has no phases", cure="Add a [[phases]] table.")
        for key, (low, high) in RANGES.items():
            if not low <= getattr(self, key) <= high:
                span = f"within {low} to {high}" if high < math.inf else f"{low} or more"
                raise TrainingError(f"{key} {getattr(self, key)} is not {span}")

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> tuple[Phase, int]:
        """The phase that ``step`` (from 0) falls into, and the step within it."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        raise TrainingError(f"the recipe ends {step + 1} steps before this one")

    def rate_at(self, step: int) -> float:
        """Learning rate of the decoder at ``step`` of the run, warm-up included."""
        phase, inner = self.phase_at(step)
        return phase.rate_at(inner) * min(1.0, (step + 1) / max(self.warmup, 1))

    def changed(self, before: Recipe, step: int) -> list[str]:
        """The keys in which the first ``step`` steps differ from those of another recipe.

        What is to come may differ, and how often a run is looked at.
        """
        keys = [f.name for f in fields(self) if f.name not in {*UNLEARNT, "phases"}]
        found = [key for key in keys if getattr(self, key) != getattr(before, key)]
        return found + ["phases"] * (self._past(step) != before._past(step))

    def _past(self, step: int) -> list[tuple[int, int, float]]:
        """Crop size, batch and rate of each step before ``step``, warm-up left out."""
        past = (self.phase_at(s) for s in range(min(step, self.steps)))
        return [(phase.size, phase.batch, phase.rate_at(inner)) for phase, inner in past]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as stored beside the weights."""
        return asdict(self)


RANGES = {
    "seed": (0, math.inf),
    "rebalance": (0, 1),
    "regression": (0, math.inf),
    "feature": (0, math.inf),
    "encoder_rate": (0, math.inf),
    "frozen_stages": (0, len(LITE2)),
    "weight_decay": (0, math.inf),
    "warmup": (0, math.inf),
    "ema": (0, 1),
    "watch": (1, math.inf),
    "checkpoint": (1, math.inf),
}
UNLEARNT = {"name", "watch", "checkpoint"}
"""What the weights do not depend on."""


def parse(table: dict[str, Any]) -> Recipe:
    """A recipe from a TOML table.

    Raises:
        TrainingError: a key is unknown or missing, or a value makes no sense.
    """
    known = {f.name for f in fields(Recipe)}
    if unknown := sorted(set(table) - known):
        raise TrainingError(
            f"the recipe has unknown keys: {', '.join(unknown)}",
            cure=f"Known are {', '.join(sorted(known))}.",
        )
    try:
        phases = tuple(Phase(**phase) for phase in table["phases"])
        return Recipe(**{**table, "phases": phases})
    except (KeyError, TypeError) as error:
        raise TrainingError(f"the recipe is not complete: {error}") from None


def read(name: str | Path) -> Recipe:
    """A recipe that comes with photochrom (``lite``, ``tiny``) or a TOML file.

    Raises:
        TrainingError: no such recipe, or not TOML.
    """
    path = Path(name)
    bundled = resources.files("photochrom.training") / "recipes" / f"{name}.toml"
    try:
        text = path.read_text() if path.suffix == ".toml" else bundled.read_text()
        return parse(tomllib.loads(text))
    except FileNotFoundError:
        raise TrainingError(
            f"there is no recipe {name!r}", cure="Give 'lite', 'tiny' or a .toml file."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"not TOML: {error}", file=path) from None
