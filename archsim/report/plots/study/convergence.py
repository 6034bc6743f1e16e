"""How a search came closer, trial by trial."""

from __future__ import annotations

from collections.abc import Iterator

from archsim.report.plots.data import Plot
from archsim.report.plots.marks import dot
from archsim.report.plots.study.fronts import BETTER, KIND, MANY
from archsim.report.plots.study.rulers import Ruler
from archsim.report.plots.style import COLOURS, COUNT, SHARE, SOFT, key, name_axis, panels
from archsim.report.study.findings import Findings
from archsim.study.pareto import convergence, feasible

MOST = 3  # objectives
STEPS = "steps-post"


def converged(found: Findings) -> Iterator[Plot]:
    """Show the hypervolume, the size of the front and the objectives over the trials; nothing of other studies."""
    frame = found.data.frame.sort_index()
    if found.search is None or len(frame) < 2:
        return
    targets = found.targets[:MOST]
    told = convergence(frame, found.objectives, found.limits)
    figure, axes = panels(3.0 + 1.5 * len(targets), 2 + len(targets), sharex=True)
    trials = frame.index.to_numpy() + 1
    axes[0].plot(trials, told["hypervolume"], drawstyle=STEPS, color=COLOURS[0])
    name_axis(axes[0], "y", "Hypervolume", SHARE)
    axes[0].set_ylim(bottom=0)
    axes[1].plot(trials, told["front"], drawstyle=STEPS, color=COLOURS[0])
    name_axis(axes[1], "y", "Front", COUNT)
    able = feasible(frame, found.limits)
    for each, target in zip(axes[2:], targets, strict=False):
        ruler = Ruler.of(target, frame[target.name])
        ruler.draw(each, "y")
        values, allowed = frame[target.name], frame[target.name].where(able)
        best = allowed.cummin() if found.objectives[target.name] == "min" else allowed.cummax()
        each.plot(
            trials, ruler.at(values), ".", color=SOFT, markersize=2.5, alpha=0.6, rasterized=len(frame) > MANY
        )  # fmt: skip
        each.plot(trials, ruler.at(best.ffill()), drawstyle=STEPS, color=COLOURS[0])
    axes[-1].set_xlim(0, trials[-1] + 1)
    name_axis(axes[-1], "x", "Trials", COUNT)
    trial = dot(SOFT)
    trial.set_markersize(3)
    key(figure, [("best so far", dot(COLOURS[0], "", style="-")), ("each trial", trial)])
    ways = ", ".join(f"{t.words}: {BETTER[found.objectives[t.name]]}" for t in targets)
    caption = (
        "How the search went. Hypervolume: the share of the box between the best and the worst value of every objective"
        f" that the front beats. Below: how many points the front has, and what was found ({ways})"
        f"{' within the limits' if found.limits else ''}."
    )
    yield Plot("convergence", "How the search went", caption, figure, KIND)
