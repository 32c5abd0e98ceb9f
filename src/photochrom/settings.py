"""How a photograph is coloured, as the user says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from photochrom.errors import SettingsError
from photochrom.models.card import FACTOR, LARGEST, SMALLEST


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a photograph is coloured.

    Raises:
        SettingsError: a value is out of range, or would have no effect beside the others.
    """

    render_size: int | Literal["auto"] = "auto"
    """Side in pixels at which the network sees the picture; ``auto`` compares a few."""
    saturation: float = 1.0
    """Factor on the chroma, 0 to 3."""
    strength: float = 1.0
    """Share of the colour that is laid over the grey picture, 0 to 1."""
    post_process: bool = True
    """False gives the network's own picture, enlarged, instead of colour over the photograph."""
    exact: bool = False
    """The original's picture path, bit for bit; for DeOldify's three models."""
    strict: bool = False
    """Out of memory is an error, instead of a smaller render size and a note."""

    def __post_init__(self) -> None:
        if not 0 <= self.saturation <= 3:
            raise SettingsError(f"saturation {self.saturation} is not within 0 to 3")
        if not 0 <= self.strength <= 1:
            raise SettingsError(f"strength {self.strength} is not within 0 to 1")
        if (self.exact or not self.post_process) and (self.saturation, self.strength) != (1, 1):
            way = "exact mode" if self.exact else "the network's own picture"
            raise SettingsError(
                f"{way} takes no saturation and no strength", cure="Leave one or the other out."
            )
        if self.render_size == "auto":
            return
        if not isinstance(self.render_size, int):
            raise SettingsError(f"render size {self.render_size!r} is neither 'auto' nor a number")
        if not SMALLEST <= self.render_size <= LARGEST:
            raise SettingsError(
                f"render size {self.render_size} is not within {SMALLEST} to {LARGEST} pixels",
                cure=f"DeOldify's render factors 7 to 45 are {7 * FACTOR} to {45 * FACTOR} pixels.",
            )


def size_of_factor(render_factor: int) -> int:
    """Render size in pixels of DeOldify's render factor: 16 x factor.

    Raises:
        SettingsError: the factor is not within 7 to 45.
    """
    if not 7 <= render_factor <= 45:
        raise SettingsError(f"render factor {render_factor} is not within 7 to 45")
    return FACTOR * render_factor
