"""What all meters have in common: a count of joules that only grows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, Self

from archsim.baselines.platform import Boundary


class MeterError(OSError):
    """A meter does not answer any more; `errno` is what its library says."""


class Meter(Protocol):
    """Counts energy while its block is open.

    `name`: what it is, in words. `boundary`: what its energy is of. `notes`: what a reader should know of it.
    """

    name: str
    boundary: Boundary
    notes: tuple[str, ...]

    def joules(self) -> float:
        """Return the energy since some moment in the past."""

    def temperature_c(self) -> float | None:
        """Return how warm the device is, in degrees Celsius, where it says so."""

    def __enter__(self) -> Self:
        """Begin to count."""

    def __exit__(self, *_: object) -> None:
        """Stop counting, and give back what it holds."""


class Integrator:
    """Makes energy of a power that is read again and again: the sum of trapezoids.

    `power`: watts now. `now`: the time in seconds. `period`: seconds between readings of the thread, which runs from
    `start` to `stop`; `sample` takes a reading at once.
    """

    def __init__(self, power: Callable[[], float], now: Callable[[], float], period: float) -> None:
        self.power, self.now, self.period = power, now, period
        self.total = 0.0
        self.last: tuple[float, float] | None = None  # time and power of the last reading
        self.failure: Exception | None = None
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def sample(self) -> float:
        """Take a reading and return the joules so far."""
        with self._lock:
            if self.failure is not None:
                raise self.failure
            when, watts = self.now(), self.power()
            if self.last is not None:
                before, earlier = self.last
                self.total += (when - before) * (watts + earlier) / 2
            self.last = (when, watts)
            return self.total

    def start(self) -> None:
        """Begin to read."""
        self.sample()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="archsim power meter", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self.period):
            try:
                self.sample()
            except Exception as error:  # told to whoever asks next, in its own thread
                self.failure = error
                return
