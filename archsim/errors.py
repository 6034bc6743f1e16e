"""The errors that archsim raises on purpose: each says where, what is wrong, and what to do instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ArchsimError(Exception):
    """Base of every error caused by the user's input; the command line prints it and exits with 2."""


class ConfigError(ArchsimError):
    """A configuration file, or a value in it, is wrong. `problems` holds one line for each thing found."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class UnitError(ConfigError):
    """A quantity has no unit, an unknown one, or one of another dimension."""


class TraceError(ArchsimError):
    """A model cannot be traced, or a trace file cannot be read."""


class MappingError(ArchsimError):
    """A network does not fit a chip, or a layer cannot be placed on its crossbars."""


class DataError(ArchsimError):
    """A data set is missing or does not fit the network."""


class SimulationError(ArchsimError):
    """The simulated machine cannot go on: a deadlock, or a buffer that overflows. It names who waits for what."""


class DeviceError(ArchsimError):
    """A device to measure on is missing, lacks what is asked of it, or fails."""


class DeviceLostError(DeviceError):
    """A device was lost midway. `points`: how many had been measured, and delivered, by then."""

    def __init__(self, message: str, points: int) -> None:
        self.points = points
        super().__init__(message)


class ClusterError(ArchsimError):
    """Workers to compute on cannot be reached or started, are of another archsim, or were lost."""


class StoreError(ArchsimError):
    """A study's store cannot be read or written: a full disk, a folder without permission, a lock that stays."""


class PlausibilityWarning(UserWarning):
    """A result lies outside the band that published chips span."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the closest known word, else the list of what is known."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(words)}" if words else ""
