"""What the commands that run many points have in common: where results go, who computes, how it ends."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.cli.console import print_all, print_json
from archsim.cli.following import duration, following
from archsim.config import dump
from archsim.errors import ClusterError, ConfigError, SimulationError
from archsim.report.layout import count, heading, table
from archsim.report.study.reasons import reasons
from archsim.study import StudyConfig
from archsim.study.campaign import Campaign
from archsim.study.counts import Counts, Failure
from archsim.study.export import appears, export
from archsim.study.pools import open_pool
from archsim.study.store import Store
from archsim.study.tables import read_study

OUT = "out"
PAGE = "report.html"
NOTHING: Mapping[str, Any] = MappingProxyType({})
GROUPS = 5  # of failures that are shown
LONGEST = 300  # characters of an error


@dataclass(frozen=True)
class Options:
    """What the command line says about who computes, and where results go; None where the defaults do.

    `shard`: "i/n", the points with number = i - 1 modulo n. `page`: whether the results are also drawn.
    """

    out: Path | None
    workers: int | None
    scheduler: str | None
    shard: str | None
    resume: bool
    retry_failed: bool
    page: bool = True


@dataclass(frozen=True)
class Shard:
    """One of several parts of a study, each run by a command of its own."""

    index: int
    of: int

    @staticmethod
    def read(text: str | None) -> Shard:
        """Read "i/n"; without one, the whole study is a single part."""
        if text is None:
            return Shard(1, 1)
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise ConfigError(f"--shard {text}: expected i/n with i from 1 to n, such as 2/4")
        return Shard(int(found[1]), int(found[2]))

    @property
    def name(self) -> str:
        """Name of the store."""
        return "study" if self.of == 1 else f"shard-{self.index}-of-{self.of}"

    def has(self, number: int) -> bool:
        """Tell whether a point is of this part."""
        return number % self.of == self.index - 1


@dataclass(frozen=True)
class Ended:
    """How a campaign ended: what its store holds, and how many points this process evaluated in so many seconds."""

    folder: Path
    counts: Counts
    failures: list[Failure]
    evaluated: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "folder": str(self.folder),
            "points": self.counts.points,
            "done": self.counts.done,
            "failed": self.counts.failed,
            "functions": self.counts.functions,
            "shared": self.counts.shared,
            "evaluated": self.evaluated,
            "seconds": self.seconds,
            "failures": [{"error": error, "points": number, "first": first} for error, number, first in self.reasons()],
        }

    def reasons(self) -> list[tuple[str, int, int]]:
        """Return each error with the number of points that it stopped and the first of them, the commonest first."""
        counts = Counter(failure.error for failure in self.failures)
        first = {failure.error: failure.number for failure in reversed(self.failures)}
        return [(error, number, first[error]) for error, number in counts.most_common()]


class Work:
    """A campaign under way. `campaign`: to be given tasks; `store`: where they are planned and their outcomes kept."""

    def __init__(self, store: Store, campaign: Campaign, folder: Path) -> None:
        self.store, self.campaign, self.folder = store, campaign, folder
        self._start = time.monotonic()

    def ended(self) -> Ended:
        """Return what has come of it."""
        seconds = time.monotonic() - self._start
        return Ended(self.folder, self.store.counts(), self.store.failures(), self.campaign.evaluated, seconds)


def checked(options: Options) -> int:
    """Return how many workers are wanted; `ConfigError` for options that do not go together."""
    Shard.read(options.shard)
    if options.workers is not None and not 1 <= options.workers <= 10_000:
        raise ConfigError(f"--workers {options.workers}: expected a number from 1 to 10000")
    if options.shard and options.scheduler:
        raise ConfigError("--shard, --scheduler: a scheduler shares the points out itself; give one of the two")
    if options.scheduler and options.scheduler not in ("local", "slurm"):
        if not re.fullmatch(r"(tcp|tls|ucx|ws|wss)://\S+:\d+", options.scheduler):
            raise ConfigError(f"--scheduler {options.scheduler}: expected tcp://host:port, local or slurm")
        if options.workers is not None:
            raise ConfigError("--workers, --scheduler: a scheduler at an address has the workers that it has")
    return options.workers or _processors()


def _processors() -> int:
    """Return how many processors this process may use, where it is bound to some or a container lends it some."""
    from dask.system import CPU_COUNT

    return CPU_COUNT


@contextmanager
def campaign(config: StudyConfig, file: Path, options: Options) -> Iterator[Work]:
    """Open the store of a study and a pool of workers; what is interrupted says how to go on.

    Raises an `ArchsimError` before anything runs if either cannot be opened.
    """
    workers, folder = checked(options), options.out or Path(OUT) / config.name
    name = Shard.read(options.shard).name
    with Store.open(folder, name=name, study=dump(config), file=file.absolute(), resume=options.resume) as store:
        if options.retry_failed:
            store.drop_failures()
        with open_pool(workers, options.scheduler) as pool, following() as follow:
            work = Work(store, Campaign(store, pool, follow), folder)
            try:
                yield work
            except KeyboardInterrupt:
                raise KeyboardInterrupt(_standing(store)) from None
            except ClusterError as error:
                raise ClusterError(f"{error}; {_standing(store)}") from error


def _standing(store: Store) -> str:
    """Return how far a study is, and how to go on with it."""
    counts, command = store.counts(), shlex.join(["archsim", *sys.argv[1:]])
    return f"{count(counts.done)} of {count(counts.points)} points done; go on with: {command}"


def keep(ended: Ended, options: Options) -> None:
    """Write what the folder holds by now as tables and as a page, in place of earlier ones."""
    export(ended.folder)
    if options.page and ended.counts.done > ended.counts.failed:
        from archsim.report.study.findings import findings  # with the plots, seconds
        from archsim.report.study.output import study_page

        page, _ = study_page(findings(read_study(ended.folder)))
        appears(ended.folder / PAGE, lambda path: path.write_text(page, encoding="utf-8"))


def conclude(config: StudyConfig, ended: Ended, *, as_json: bool, more: Mapping[str, Any] = NOTHING) -> None:
    """Print how it ended, in JSON with `more` about it; an error if no point came through."""
    if as_json:
        print_json({"study": config.name} | ended.to_dict() | dict(more))
    else:
        print_all(_summary(config, ended))
    if ended.counts.failed == ended.counts.points > 0:
        error, number, first = ended.reasons()[0]
        raise SimulationError(
            f"all {count(ended.counts.points)} points failed; {count(number)} of them, such as point {first}, with:"
            f" {_short(error)}"
        )


def _summary(config: StudyConfig, ended: Ended) -> Iterator[RenderableType]:
    counts = ended.counts
    yield Text(f"Study {config.name}: {count(counts.done)} of {count(counts.points)} points", style="bold")
    pace = f", {count(60 * ended.evaluated / ended.seconds)} a minute" if ended.evaluated and ended.seconds else ""
    rows = [("evaluated now", f"{count(ended.evaluated)} in {duration(ended.seconds)}{pace}")]
    if counts.functions:
        rows.append(
            ("functional passes", f"{count(counts.functions)} computed for {count(counts.done - counts.failed)} points")
        )
    if counts.failed:
        rows.append(("failed", f"{count(counts.failed)} points; --retry-failed runs them again"))
    rows.append(("results", f"{ended.folder}"))
    yield table(["", ""], rows)
    if found := reasons((failure.number, failure.error) for failure in ended.failures):
        yield heading("Why points failed (numbers and names are those of the first)")
        yield table(["points", "first", "error"], [
            [count(reason.count), str(reason.first), _short(reason.text)] for reason in found[:GROUPS]
        ], right=(0, 1))  # fmt: skip
        if len(found) > GROUPS:
            yield Text(f"  and {count(len(found) - GROUPS)} other reasons; --json has all", style="dim")
    yield heading("What next")
    page = ended.folder / PAGE
    seen = [str(page), "plots and tables"] if page.exists() else [f"archsim report {ended.folder}", "plots and tables"]
    yield table(["", ""], [[f"archsim pareto {ended.folder}", "the best points"], seen])


def _short(error: str) -> str:
    line = " ".join(error.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
