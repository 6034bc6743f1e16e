"""`archsim verify`: the network in torch, under the masks that the hardware draws, against the chip."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from archsim.cli.console import print_all, print_json, progress_bar
from archsim.errors import ConfigError
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.mapping.plan import map_trace
from archsim.pipeline import sample_chip
from archsim.workload.cache import trace_of
from archsim.workload.spec import load_workload


def verify(
    workload: Path, arch: Path | None, images: int | None, passes: int | None, seed: int, *, as_json: bool
) -> None:
    """Compare every score of every image and pass, on ideal hardware or on a chip, and print how many are equal."""
    source = load_workload(workload)
    if any(n is not None and n < 1 for n in (images, passes)):
        raise ConfigError(f"images and passes must be at least 1, got {images} and {passes}")
    trace = trace_of(source)
    data = source.data(images or source.config.images, exact=images is not None)
    chip = (
        sample_chip(map_trace(trace, build_chip(load_arch(arch))), passes or source.config.passes, seed)
        if arch
        else None
    )
    from archsim.verify import compare_with_torch  # loads torch; a wrong file should be told at once
    from archsim.workload.checkpoint import load_model

    with progress_bar() as note:
        found = compare_with_torch(
            load_model(source).eval(),
            trace,
            data.images,
            passes or source.config.passes,
            seed=seed,
            encodings=chip.encodings if chip else None,
            chances=chip.chances if chip else None,
            progress=lambda done, of: note("passes", done, of),
        )
    if as_json:
        print_json({"workload": source.config.name, "images": len(data), "seed": seed, **asdict(found)})
        return
    print_all(
        [
            f"{source.config.name}: {len(data)} images, {found.answers} answers, against torch under the same masks",
            f"  all scores equal, bit for bit  {found.identical} ({100 * found.identical / found.answers:.2f} %)",
            f"  same class                     {found.same_class} ({100 * found.same_class / found.answers:.2f} %)",
            f"  largest difference             {found.largest_difference:.3g} of the largest score",
        ]
    )
