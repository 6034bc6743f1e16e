"""Training of a workload's network on the CPU: Adam, cosine schedule, the task's loss under the network's chance."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional as F

from archsim.errors import ConfigError, DataError
from archsim.nn import freeze, kl, monte_carlo, regulariser
from archsim.workload.checkpoint import build_model, save_checkpoint
from archsim.workload.data import ImageSet
from archsim.workload.spec import Trained, Training, Workload

Injector = Callable[[nn.Module], AbstractContextManager[None]]


@dataclass(frozen=True)
class TrainingResult:
    """A trained network, what was measured, and where its checkpoint lies."""

    model: nn.Module
    trained: Trained
    checkpoint: Path


def train(
    workload: Workload,
    *,
    quiet: bool = False,
    test_images: int | None = None,
    threads: int = 1,
    cells: Injector | None = None,
) -> TrainingResult:
    """Train a workload's network, evaluate it with its Monte-Carlo passes, write its checkpoint atomically.

    Bayesian layers with a grid are frozen to their copies at the end. The same seed gives the same weights on the same
    machine and number of `threads` (one is fastest for small networks); torch's own generator and threads are left as
    they were. A progress bar goes to stderr unless `quiet`. The quality is measured on the first `test_images` of the
    test split, by default as many as the workload evaluates. `cells`: what `training.inject` asks for, see
    `archsim.hardening.injector`.

    Raises `DataError` when data are missing or the training diverges, `ConfigError` when `training.inject` is given
    without `cells`, or the other way round.
    """
    config = workload.config
    if (config.training.inject is None) != (cells is None):
        raise ConfigError(f"{workload.path}: training.inject and the cells to train on go together")
    checkpoint = workload.checkpoint_path
    data = workload.data(config.training.images, split="train")
    test = workload.data(test_images or config.images, split="test", exact=test_images is not None)
    started = time.perf_counter()
    with torch.random.fork_rng(), _threads(threads):
        torch.manual_seed(config.training.seed)
        model = build_model(workload)
        fit(model, data, config.training, quiet=quiet, cells=cells)
        freeze(model)
        seconds = time.perf_counter() - started
        found = quality(model, test, config.passes)
    trained = Trained(
        epochs=config.training.epochs,
        seconds=round(seconds, 3),
        accuracy=round(found, 4) if test.task == "classification" else None,
        error=round(found, 4) if test.task == "regression" else None,
        passes=config.passes,
        images=len(test),
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    )
    path = save_checkpoint(model, checkpoint, trained.model_dump())
    return TrainingResult(model, trained, path)


def fit(
    model: nn.Module, data: ImageSet, recipe: Training, *, quiet: bool = True, cells: Injector | None = None
) -> None:
    """Train a network in place by a recipe, drawing from torch's generator; `cells`: see `train`.

    Raises `DataError` when the loss stops being finite.
    """
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    batches = -(-len(data) // recipe.batch_size)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs * batches)
    objective = Objective(recipe, len(data), F.cross_entropy if data.task == "classification" else _squared_error)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("loss {task.fields[loss]:.3f}"))
    model.train()
    with (
        Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=quiet) as progress,
        cells(model) if cells else nullcontext(),
    ):
        task = progress.add_task(f"training on {data.name}", total=recipe.epochs * batches, loss=float("nan"))
        for epoch in range(recipe.epochs):
            order = torch.randperm(len(data))
            for chosen in torch.split(order, recipe.batch_size):
                loss = objective(model, images[chosen], labels[chosen])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
                if not loss < float("inf"):
                    raise DataError(f"training diverged in epoch {epoch + 1}; lower training.learning_rate")
                progress.update(task, advance=1, loss=float(loss.detach()))
    model.eval()


@dataclass(frozen=True)
class Objective:
    """What a training minimises: the task's loss, what the layers want, and the divergence from the priors.

    With `kl_weight` = 1 and the cross-entropy, the negative evidence lower bound for each of `images` images.
    """

    recipe: Training
    images: int
    task_loss: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        recipe = self.recipe
        loss = self.task_loss(model(images), labels)
        return loss + recipe.regulariser_weight * regulariser(model) + recipe.kl_weight / self.images * kl(model)


def _squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(outputs.reshape(targets.shape), targets)


def quality(model: nn.Module, test: ImageSet, passes: int, *, seed: int = 0) -> float:
    """Return the accuracy, or for regression the root mean squared error, of the mean over the passes."""
    if test.task == "classification":
        return accuracy(model, test, passes, seed=seed)
    mean = monte_carlo(model, torch.from_numpy(test.images), passes, seed=seed).mean(0)
    return float(_squared_error(mean, torch.from_numpy(test.labels)).sqrt())


def accuracy(model: nn.Module, test: ImageSet, passes: int, *, seed: int = 0) -> float:
    """Return the share of images whose mean softmax over the passes is largest at the right class."""
    scores = monte_carlo(model, torch.from_numpy(test.images), passes, seed=seed)
    answers = scores.softmax(-1).mean(0).argmax(-1).numpy()
    return float((answers == test.labels).mean())


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
