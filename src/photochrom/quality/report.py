"""The figures of a colouriser on a set of photographs, and two colourisers side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photochrom.errors import SettingsError
from photochrom.quality.metrics import Difference, Interval, bootstrap, paired_bootstrap


@dataclass(frozen=True)
class Scores:
    """What is measured on one coloured picture, with the true lightness put in."""

    ciede2000: float
    """Mean over the pixels."""
    psnr: float
    """dB, over RGB."""
    colorfulness: float
    stlpips: float | None
    """None where it is not installed or was not asked for."""


@dataclass(frozen=True)
class Row:
    """One picture: the colouriser's scores, those of grey, and what the truth has."""

    name: str
    width: int
    height: int
    got: Scores
    grey: Scores
    truth_colorfulness: float


def _ratio(pairs: NDArray[Any]) -> float:
    """Mean of the first column over the mean of the second."""
    return float(pairs[:, 0].mean() / pairs[:, 1].mean())


def _mean(pairs: NDArray[Any]) -> float:
    return float(pairs[:, 0].mean())


class Metric(NamedTuple):
    """How a figure is written, how it is made of (picture, truth) columns, and what is better."""

    label: str
    decimals: int
    better: str
    statistic: Callable[[NDArray[Any]], float]


METRICS = {
    "ciede2000": Metric("CIEDE2000", 2, "lower", _mean),
    "psnr": Metric("PSNR, dB", 2, "higher", _mean),
    "stlpips": Metric("ST-LPIPS", 4, "lower", _mean),
    "colorfulness": Metric("colourfulness", 1, "as the truth", _mean),
    "colorfulness_ratio": Metric("colourfulness ratio", 3, "near 1", _ratio),
}


@dataclass(frozen=True)
class Report:
    """The figures of one colouriser on one set of photographs."""

    rows: tuple[Row, ...]
    left_out: Mapping[str, str]
    """Name and reason of each photograph that was not measured."""
    protocol: str
    """What was done to the photographs, and what was measured how."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the caller knows: the model, its weights' sha256, the engine, the set."""

    @cached_property
    def summary(self) -> dict[str, Interval]:
        """Each metric's figure over all pictures, with its 95 % bootstrap interval."""
        return self._summary("got")

    @cached_property
    def grey(self) -> dict[str, Interval]:
        """The same for pictures left grey."""
        return self._summary("grey")

    @cached_property
    def truth_colorfulness(self) -> Interval:
        """The mean colourfulness of the photographs themselves."""
        return bootstrap([row.truth_colorfulness for row in self.rows])

    def columns(self, metric: str, *, of: str = "got") -> NDArray[np.float64]:
        """A metric's (pictures, 2): the score of each, and its truth's colourfulness."""
        attribute = metric.removesuffix("_ratio")
        scores = [getattr(getattr(row, of), attribute) for row in self.rows]
        return np.array([scores, [row.truth_colorfulness for row in self.rows]], np.float64).T

    def metrics(self) -> list[str]:
        """The names of the metrics that were measured."""
        seen = all(row.got.stlpips is not None for row in self.rows)
        return [name for name in METRICS if name != "stlpips" or seen]

    def table(self) -> list[list[str]]:
        """The summary for reading: a head, then one line for each metric."""
        head = ["", "coloured", "95 %", "grey", "truth", "better"]
        return [head, *(self._line(name) for name in self.metrics())]

    def to_json(self) -> str:
        """Everything, for machines; intervals as estimate, low, high."""
        content = {
            "protocol": self.protocol,
            "facts": dict(self.facts),
            "counts": {"measured": len(self.rows), "left_out": len(self.left_out)},
            "summary": {name: each._asdict() for name, each in self.summary.items()},
            "grey": {name: each._asdict() for name, each in self.grey.items()},
            "truth_colorfulness": self.truth_colorfulness._asdict(),
            "left_out": dict(self.left_out),
            "pictures": [asdict(row) for row in self.rows],
        }
        return json.dumps(content, indent=1)

    def _summary(self, of: str) -> dict[str, Interval]:
        return {
            name: bootstrap(self.columns(name, of=of), METRICS[name].statistic)
            for name in self.metrics()
        }

    def _line(self, name: str) -> list[str]:
        label, decimals, better, _ = METRICS[name]
        estimate, low, high = (f"{value:.{decimals}f}" for value in self.summary[name])
        truth = f"{self.truth_colorfulness.estimate:.1f}" if name == "colorfulness" else ""
        grey = f"{self.grey[name].estimate:.{decimals}f}"
        return [label, estimate, f"{low} to {high}", grey, truth, better]


def compare(a: Report, b: Report) -> dict[str, Difference]:
    """Each metric of a minus that of b, by paired bootstrap over the same pictures.

    Raises:
        SettingsError: the reports are of different photographs, or of different protocols.
    """
    if [row.name for row in a.rows] != [row.name for row in b.rows] or a.protocol != b.protocol:
        raise SettingsError(
            "these two reports are not of the same pictures under the same protocol",
            cure="Evaluate both models on one set in one run.",
        )
    return {
        name: paired_bootstrap(a.columns(name), b.columns(name), METRICS[name].statistic)
        for name in a.metrics()
    }
