"""How many tasks go into one job: enough that sending it costs little, few enough that results come steadily."""

from __future__ import annotations

TARGET_S = 0.2
MOST = 256


class Pace:
    """Learns how long one kind of task takes. The first job of a worker takes long, and is soon forgotten."""

    def __init__(self) -> None:
        self._each_s: float | None = None

    def learn(self, tasks: int, seconds: float) -> None:
        """Take note of a job of so many tasks."""
        each = seconds / tasks
        self._each_s = each if self._each_s is None else min(each, (self._each_s + each) / 2)

    @property
    def batch(self) -> int:
        """Tasks of the next job; one as long as nothing is known."""
        if self._each_s is None:
            return 1
        return max(1, min(MOST, int(TARGET_S / max(self._each_s, 1e-9))))
