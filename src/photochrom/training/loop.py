"""The generator's training: luminance in, a distribution over chroma out."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from photochrom import __version__, color
from photochrom.errors import TrainingError
from photochrom.networks.efficientnet import load_imagenet
from photochrom.networks.export import export_lite
from photochrom.networks.lite import TEMPERATURE, Lite
from photochrom.whole import written_whole

from . import checkpoint
from .chroma import GRID, NEAREST, ChromaClasses, RebalancedChromaLoss, count_bins, expected_ab
from .data import Bytes, Photographs, batch_at
from .journal import Journal, matrix_peak, share_of_peak
from .losses import FeatureLoss, coloured
from .recipe import Recipe, parse
from .watch import Watch

QUARTER = 4
"""The network's output is a quarter of its input in each direction."""
REPORT = 50
"""Steps between rows of figures."""


def chroma_of(rgb: Bytes) -> np.ndarray[Any, np.dtype[np.float32]]:
    """RGB crops (N, H, W, 3) to the ab of their 4x4 means, (N, H/4, W/4, 2)."""
    n, h, w, _ = rgb.shape
    cells = rgb.reshape(n, h // QUARTER, QUARTER, w // QUARTER, QUARTER, 3)
    mean = cells.mean((2, 4), dtype=np.float32) / np.float32(255)
    return color.rgb_to_lab(mean)[..., 1:]


def tensors_of(rgb: Bytes) -> tuple[Tensor, Tensor]:
    """RGB crops (N, H, W, 3) to luminance (N, 1, H, W) in [0, 1] and ab (N, 2, H/4, W/4)."""
    luminance = torch.from_numpy(color.luma(rgb))[:, None]
    ab = torch.from_numpy(chroma_of(rgb)).permute(0, 3, 1, 2)
    return luminance.contiguous(memory_format=torch.channels_last), ab


def measure_bins(photographs: Photographs, *, sample: int = 4000) -> tuple[Tensor, Tensor]:
    """Chroma bins and their shares over a fixed sample of the photographs.

    Raises:
        TrainingError: the photographs are grey.
    """
    numbers = np.linspace(0, len(photographs) - 1, min(sample, len(photographs))).astype(int)
    rows = []
    for number in numbers:
        rgb = photographs[int(number)]
        h, w = (side // QUARTER * QUARTER for side in rgb.shape[:2])
        rows.append(chroma_of(rgb[None, :h, :w]).reshape(-1, 2)[::3])
    bins, shares = count_bins(np.concatenate(rows))
    if len(bins) < NEAREST:
        raise TrainingError(
            f"the photographs are grey: {len(bins)} chroma bins, at least {NEAREST} are needed",
            cure="Train on photographs in colour.",
        )
    return torch.from_numpy(bins), torch.from_numpy(shares)


@dataclass
class Trainer:
    """A network on its way: weights, their running mean, optimiser, position in the data.

    ``for losses in trainer.steps(): ...`` trains to the recipe's end.
    """

    recipe: Recipe
    photographs: Photographs
    network: Lite
    shares: Tensor
    step: int = 0
    average: Lite = field(init=False)
    optimiser: torch.optim.Optimizer = field(init=False)
    loss: RebalancedChromaLoss = field(init=False)
    feature: FeatureLoss | None = field(init=False)

    def __post_init__(self) -> None:
        self.network = self.network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        if self.recipe.frozen_stages:
            self.network.encoder.freeze(self.recipe.frozen_stages)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        classes = ChromaClasses(self.network.bins, self.shares, rebalance=self.recipe.rebalance)
        self.loss = RebalancedChromaLoss(classes)
        self.feature = FeatureLoss() if self.recipe.feature else None
        self.optimiser = torch.optim.AdamW(
            parameter_groups(self.network, self.recipe), betas=(0.9, 0.99)
        )

    def steps(self) -> Iterator[dict[str, float]]:
        """Trains from the present step to the end; yields the named losses of each step."""
        position = sum(
            phase.batch * min(phase.steps, max(self.step - begin, 0))
            for phase, begin in zip(self.recipe.phases, begins(self.recipe), strict=True)
        )
        while self.step < self.recipe.steps:
            phase, _ = self.recipe.phase_at(self.step)
            rgb = batch_at(
                self.photographs,
                position,
                count=phase.batch,
                size=phase.size,
                seed=self.recipe.seed,
            )
            position += phase.batch
            yield self._learn(*tensors_of(rgb))

    def _learn(self, luminance: Tensor, ab: Tensor) -> dict[str, float]:
        rate = self.recipe.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        with torch.autocast(luminance.device.type, torch.bfloat16):
            logits = self.network(luminance)
        mean = expected_ab(logits, self.network.bins)
        losses = {
            "chroma": self.loss(logits, ab),
            "mean": self.recipe.regression * F.smooth_l1_loss(mean / GRID, ab / GRID),
        }
        if self.feature is not None:
            difference = self.feature(coloured(luminance, mean), coloured(luminance, ab))
            losses["feature"] = self.recipe.feature * difference
        torch.stack(list(losses.values())).sum().backward()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self._update_average()
        return {name: float(value.detach()) for name, value in losses.items()}

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short memory at the start, or the random decoder would stay in the mean for long.
        keep = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
        mine, theirs = zip(*pairs, strict=True)
        torch._foreach_lerp_(list(mine), list(theirs), 1 - keep)
        for kept, now in zip(self.average.buffers(), self.network.buffers(), strict=True):
            if now.is_floating_point():
                kept.lerp_(now, 1 - keep)
            else:
                kept.copy_(now)

    def save(self, folder: Path) -> None:
        """Writes a checkpoint from which ``open_run`` goes on bit for bit."""
        parts = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": checkpoint.optimiser_tensors(self.optimiser),
            "data": {"shares": self.shares},
        }
        facts = {"recipe": self.recipe.as_dict(), "data": self.photographs.fingerprint}
        checkpoint.save(folder, self.step, parts, facts)


def begins(recipe: Recipe) -> list[int]:
    """The step at which each phase begins."""
    return [sum(p.steps for p in recipe.phases[:k]) for k in range(len(recipe.phases))]


def parameter_groups(network: Lite, recipe: Recipe) -> list[dict[str, Any]]:
    """Encoder and decoder, matrices with decay and vectors without."""
    groups = []
    for encoder in (True, False):
        for matrix in (True, False):
            chosen = [
                p
                for name, p in network.named_parameters()
                if name.startswith("encoder.") is encoder
                and (p.ndim > 1) is matrix
                and p.requires_grad
            ]
            share = recipe.encoder_rate if encoder else 1.0
            decay = recipe.weight_decay if matrix else 0.0
            groups.append({"params": chosen, "share": share, "weight_decay": decay})
    return groups


def open_run(recipe: Recipe, photographs: Photographs, folder: Path) -> Trainer:
    """A new trainer, or the one that ``folder`` holds the checkpoint of.

    A recipe may be longer than the one the checkpoint was made with: runs are extended that way.

    Raises:
        TrainingError: the photographs are grey, the checkpoint is damaged, or it was made with
            other photographs or by a recipe whose steps so far differ.
    """
    folder.mkdir(parents=True, exist_ok=True)
    newest = checkpoint.latest(folder)
    if newest is None:
        torch.manual_seed(recipe.seed)
        bins, shares = measure_bins(photographs)
        network = Lite(bins)
        load_imagenet(network.encoder)
        return Trainer(recipe, photographs, network, shares)
    parts, facts = checkpoint.load(newest)
    _refuse_another_run(recipe, photographs, facts, newest)
    shares = parts["data"]["shares"]
    trainer = Trainer(recipe, photographs, Lite(parts["network"]["bins"]), shares, facts["step"])
    trainer.network.load_state_dict(parts["network"])
    trainer.average.load_state_dict(parts["average"])
    checkpoint.restore_optimiser(trainer.optimiser, parts["optimiser"])
    return trainer


def _refuse_another_run(
    recipe: Recipe, photographs: Photographs, facts: dict[str, Any], newest: Path
) -> None:
    cure = "Give the run's own, or another run folder."
    step = facts["step"]
    if step > recipe.steps:
        raise TrainingError(
            f"the run is at step {step}, past the recipe's end {recipe.steps}",
            file=newest,
            cure="Give a longer recipe or another run folder.",
        )
    if changed := recipe.changed(parse(facts["recipe"]), step):
        raise TrainingError(
            f"the run was begun with another recipe: {', '.join(changed)}", file=newest, cure=cure
        )
    # older checkpoints do not say
    if facts.get("data", photographs.fingerprint) != photographs.fingerprint:
        raise TrainingError("the run was begun with other photographs", file=newest, cure=cure)


def run(
    trainer: Trainer,
    folder: Path,
    *,
    watch: Watch | None,
    say: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Trains to the end of the recipe: checkpoints, watch points, figures every 50 steps.

    Figures go to ``log.jsonl`` and TensorBoard in the run folder, contact sheets beside them; at
    the end the averaged weights are exported. ``of_peak`` is the share of the machine's
    bfloat16 matrix peak that the run uses. As soon as ``stop`` says so, the run is saved and left.
    """
    recipe, journal, peak = trainer.recipe, Journal(folder, trainer.step), matrix_peak()
    rows: list[dict[str, float]] = []
    crops, began = 0, time.perf_counter()
    for losses in trainer.steps():
        step, phase = trainer.step, recipe.phase_at(trainer.step - 1)[0]
        rows.append(losses)
        crops += phase.batch
        if step % REPORT == 0 or step == recipe.steps:
            figures = {name: sum(row[name] for row in rows) / len(rows) for name in losses}
            speed = crops / (time.perf_counter() - began)
            figures["crops_per_second"] = speed
            figures["of_peak"] = share_of_peak(trainer.network, phase.size, speed, peak)
            figures["rate"] = recipe.rate_at(step - 1)
            journal.row(step, figures, group="train")
            say(f"step {step}/{recipe.steps}  {described(figures)}")
            rows, crops, began = [], 0, time.perf_counter()
        leave = stop()
        if leave or step % recipe.checkpoint == 0 or step == recipe.steps:
            trainer.save(folder)
        if leave:
            return
        if watch and (step % recipe.watch == 0 or step == recipe.steps):
            paused = time.perf_counter()
            figures = _watch(trainer, watch, journal)
            say(f"step {step}  {described(figures)}")
            began += time.perf_counter() - paused
    export(trainer, folder)


def _watch(trainer: Trainer, watch: Watch, journal: Journal) -> dict[str, float]:
    sheet = journal.folder / f"sheet-{trainer.step:07d}.png"
    watch.sheet(trainer.average, sheet)
    figures = watch.measure(trainer.average)
    journal.row(trainer.step, figures, group="val")
    journal.picture(trainer.step, sheet)
    return figures


def export(trainer: Trainer, folder: Path) -> Path:
    """The averaged weights as ``<recipe's name>.onnx`` in the run folder: a model to colour with.

    Raises:
        EngineError: the file does not compute what torch computes; it is not kept.
    """
    path = folder / f"{trainer.recipe.name}.onnx"
    facts = {
        "name": trainer.recipe.name,
        "version": __version__,
        "steps": str(trainer.step),
        "recipe": json.dumps(trainer.recipe.as_dict()),
        "photographs": str(len(trainer.photographs)),
        "temperature": str(TEMPERATURE),
        "licence": "see MODEL_CARD.md",
    }
    with written_whole(path) as part:
        export_lite(trainer.average, part, facts=facts)
    return path


def described(figures: dict[str, float]) -> str:
    """Figures in a line."""
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
