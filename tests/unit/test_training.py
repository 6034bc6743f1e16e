"""Training of the methods: what is minimised, what is frozen, ensembles, regression, networks without weights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from archsim import nn as bnn
from archsim.errors import ConfigError, DataError, TraceError
from archsim.pipeline import evaluate
from archsim.workload.cache import key_of, trace_of
from archsim.workload.checkpoint import build_model, load_checkpoint, load_model, save_checkpoint
from archsim.workload.data import ImageSet
from archsim.workload.spec import Training, Workload, load_workload
from archsim.workload.trace import Linear
from archsim.workload.training import Objective, fit, quality, train

ROOT = Path(__file__).parents[2]
YAML = """
schema: archsim/workload@1
name: small
description: a test
model: workloads.mlp:MLP
arguments: {{inputs: 64, widths: [24], method: {method}}}
checkpoint: {checkpoint}
dataset: {{name: digits}}
passes: 4
images: 100
training: {{epochs: 3, batch_size: 100, learning_rate: 0.02, kl_weight: 0.02, images: 600}}
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Writes a workload of any method to a folder, with a cache of its own."""
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path / "cache"))

    def write(method: str, checkpoint: str = "small.safetensors", more: str = "") -> Workload:
        (tmp_path / "small.yaml").write_text(YAML.format(method=method, checkpoint=checkpoint) + more)
        return load_workload(tmp_path / "small.yaml")

    return write


def test_the_objective_is_loss_plus_regulariser_plus_divergence():
    torch.manual_seed(0)
    model = nn.Sequential(bnn.ScaleDropout(4, 0.0), bnn.GaussianScale(4), nn.Linear(4, 3))
    recipe = Training(epochs=1, kl_weight=0.5, regulariser_weight=0.25)
    x, y = torch.randn(7, 4), torch.randint(3, (7,))
    with bnn.masks(model, lambda name, *_: (torch.zeros(7, 1).bool(),) if name == "0" else (torch.zeros(7, 4),)):
        found = Objective(recipe, 100, F.cross_entropy)(model, x, y)
        task = F.cross_entropy(model(x), y)
    scale, gaussian = model[0].scale, model[1]
    ratio = gaussian.deviation() / gaussian.prior
    divergence = (-ratio.log() + (ratio**2 + ((gaussian.mean - 1) / gaussian.prior) ** 2) / 2 - 0.5).sum()
    expected = task + 0.25 * ((1 - scale) ** 2).sum() + 0.5 * divergence / 100
    torch.testing.assert_close(found, expected)


def test_more_weight_on_the_divergence_pulls_to_the_prior():
    """With nothing but the prior's pull, the posterior becomes the prior."""
    data = ImageSet(
        "noise", np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32), np.zeros(64, np.int64), 2
    )
    torch.manual_seed(0)
    model = nn.Sequential(bnn.GaussianScale(8, prior=0.5), nn.Linear(8, 2))
    fit(model, data, Training(epochs=60, learning_rate=0.1, kl_weight=1e4, batch_size=64))
    assert model[0].mean.detach().numpy() == pytest.approx(1.0, abs=0.02)
    assert model[0].deviation().detach().numpy() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("method", ["scale", "affine", "subset", "spinbayes", "deterministic"])
def test_a_method_trains_is_kept_and_traced(small, method):
    workload = small(method)
    result = train(workload, quiet=True)
    assert result.trained.accuracy > 0.35  # after 18 steps; chance is 0.1
    images = torch.from_numpy(workload.data(20).images)
    again = bnn.monte_carlo(load_model(workload), images, 3, seed=1)
    assert torch.equal(bnn.monte_carlo(result.model, images, 3, seed=1), again)
    trace = trace_of(workload)
    assert trace_of(workload).content_hash() == trace.content_hash()
    layers = [n.op for n in trace.crossbar_nodes()]
    assert all(len(op.copies) == (8 if method == "spinbayes" else 1) for op in layers)


def test_spinbayes_keeps_its_copies_alone_two_bits_each(small):
    workload = small("spinbayes")
    result = train(workload, quiet=True)
    weights = (64 * 24 + 24 * 10) * 8
    assert weights / 4 < result.checkpoint.stat().st_size < weights / 4 + 4000
    assert not any("mean" in name and "running" not in name for name in load_model(workload).state_dict())
    assert set(np.unique(trace_of(workload)["layers.2"].op.alternatives[6].values)) == {-3, -1, 1, 3}


def test_variational_inference_trains_but_no_crossbar_holds_it(small):
    workload = small("vi")
    assert train(workload, quiet=True).trained.accuracy > 0.5
    with pytest.raises(TraceError, match=r"module 'layers.2'.*no crossbar can hold; freeze it"):
        trace_of(workload)


def test_members_of_an_ensemble_differ_by_their_seed(small):
    workload = small("deterministic", more="members: [a.safetensors, b.safetensors]\n")
    first, second, third = workload.ensemble()
    assert [m.config.training.seed for m in (first, second, third)] == [0, 1, 2]
    assert first.checkpoint_path == workload.checkpoint_path
    assert third.checkpoint_path.name == "b.safetensors"
    weights = [train(m, quiet=True).model.layers[2].binary_weight() for m in (first, second)]
    assert 0.2 < (weights[0] != weights[1]).float().mean() < 0.8
    assert trace_of(first).content_hash() != trace_of(second).content_hash()
    with pytest.raises(DataError, match=r"no checkpoint .*b.safetensors; make one"):
        trace_of(third)


def test_a_network_without_checkpoint_has_the_weights_of_its_seed(small):
    workload = small("spinbayes", checkpoint="null")
    assert not workload.is_trained
    trace = trace_of(workload)
    assert isinstance(trace["layers.2"].op, Linear)
    assert trace_of(workload).content_hash() == trace.content_hash()
    other = load_workload(workload.path, ("training.seed=1",))
    assert key_of(other) != key_of(workload)
    assert trace_of(other).content_hash() != trace.content_hash()
    with pytest.raises(DataError, match=r"untrained \(checkpoint: null\), fit for costs only"):
        train(workload, quiet=True)
    chip = ROOT / "arch_configs" / "neuspin_sot.yaml"
    doubts = [evaluate(chip, workload, passes=2, images=3, function=f).warnings for f in (True, False)]
    assert ["untrained" in "".join(d) for d in doubts] == [True, False]


def test_copies_of_another_grid_do_not_fit(small, tmp_path):
    workload = small("spinbayes")
    model = build_model(workload)
    bnn.freeze(model)
    path = save_checkpoint(model, tmp_path / "c", {})
    fresh = build_model(workload)
    load_checkpoint(fresh, path)
    assert all(torch.equal(v, fresh.state_dict()[k]) for k, v in model.state_dict().items())
    with pytest.raises(DataError, match=r"copies' has shape \(8, 24, 64\), the network wants|is not in the network"):
        load_checkpoint(build_model(small("deterministic")), path)
    other = build_model(workload)
    other.layers[2].bits = 3
    with pytest.raises(DataError, match=r"'layers.2.copies' does not hold 3-bit"):
        load_checkpoint(other, path)


def test_regression_learns_and_is_judged_by_its_error(tmp_path):
    (tmp_path / "gap.yaml").write_text(
        "schema: archsim/workload@1\nname: gap\ndescription: a test\nmodel: workloads.regression:Regressor\n"
        "arguments: {inputs: 1, widths: [64], p: 0.05}\ncheckpoint: gap.safetensors\n"
        "dataset: {name: gap, preprocessing: centred}\npasses: 20\ntraining: {epochs: 30, learning_rate: 0.01}\n"
    )
    workload = load_workload(tmp_path / "gap.yaml")
    result = train(workload, quiet=True)
    assert result.trained.accuracy is None
    known = workload.data(split="train", count=400)
    error = quality(result.model, known, 20)
    assert error < 0.5 * math.sqrt(float(known.labels.var()))  # of always answering the mean
    assert result.trained.error > error  # the test inputs reach beyond what was seen


def test_injection_needs_its_cells(small):
    workload = small("spindrop")
    chip = ROOT / "arch_configs" / "spatial_spindrop_sot_varied.yaml"
    asked = load_workload(workload.path, (f"training.inject.arch={chip}",))
    with pytest.raises(ConfigError, match=r"training.inject and the cells"):
        train(asked, quiet=True)
