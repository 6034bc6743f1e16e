"""Training of a workload's network on the CPU: Adam, cosine schedule, cross-entropy under the network's own dropout."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional as F

from archsim.errors import DataError
from archsim.nn import monte_carlo
from archsim.workload.checkpoint import build_model, save_checkpoint
from archsim.workload.data import ImageSet
from archsim.workload.spec import Trained, Training, Workload


@dataclass(frozen=True)
class TrainingResult:
    """A trained network, what was measured, and where its checkpoint lies."""

    model: nn.Module
    trained: Trained
    checkpoint: Path


def train(
    workload: Workload, *, quiet: bool = False, test_images: int | None = None, threads: int = 1
) -> TrainingResult:
    """Train a workload's network, evaluate it with its Monte-Carlo passes, write its checkpoint atomically.

    The same seed gives the same weights on the same machine and number of `threads` (one is fastest for small
    networks); torch's own generator and threads are left as they were. A progress bar goes to stderr unless
    `quiet`. The accuracy is measured on the first `test_images` of the test split, by default as many as the
    workload evaluates.

    Raises `DataError` when data are missing or the training diverges.
    """
    config = workload.config
    data = workload.data(config.training.images, split="train")
    test = workload.data(test_images or config.images, split="test", exact=test_images is not None)
    started = time.perf_counter()
    with torch.random.fork_rng(), _threads(threads):
        torch.manual_seed(config.training.seed)
        model = build_model(workload)
        fit(model, data, config.training, quiet=quiet)
        seconds = time.perf_counter() - started
        share = accuracy(model, test, config.passes)
    trained = Trained(
        epochs=config.training.epochs,
        seconds=round(seconds, 3),
        accuracy=round(share, 4),
        passes=config.passes,
        images=len(test),
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    )
    path = save_checkpoint(model, workload.checkpoint_path, trained.model_dump())
    return TrainingResult(model, trained, path)


def fit(model: nn.Module, data: ImageSet, recipe: Training, *, quiet: bool = True) -> None:
    """Train a network in place by a recipe, drawing from torch's generator.

    Raises `DataError` when the loss stops being finite.
    """
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    batches = -(-len(data) // recipe.batch_size)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs * batches)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("loss {task.fields[loss]:.3f}"))
    model.train()
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task(f"training on {data.name}", total=recipe.epochs * batches, loss=float("nan"))
        for epoch in range(recipe.epochs):
            order = torch.randperm(len(data))
            for chosen in torch.split(order, recipe.batch_size):
                loss = _step(model, optimiser, images[chosen], labels[chosen])
                schedule.step()
                if not loss < float("inf"):
                    raise DataError(f"training diverged in epoch {epoch + 1}; lower training.learning_rate")
                progress.update(task, advance=1, loss=loss)
    model.eval()


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


def _step(model: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> float:
    loss = F.cross_entropy(model(images), labels)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return float(loss.detach())
