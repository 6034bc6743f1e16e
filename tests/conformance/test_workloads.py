"""Every workload in the repository: valid, documented, trained, traceable, and its trace says what torch computes."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from archsim.config import read_yaml
from archsim.errors import DataError
from archsim.workload.spec import Workload, load_workload, write_schema
from archsim.workload.trace import Conv, Linear
from archsim.workload.tracefile import load_trace, save_trace

FOLDER = Path(__file__).parents[2] / "workloads"
FILES = sorted(FOLDER.glob("*.yaml"))
SCHEMA = FOLDER / "schema" / "workload.schema.json"
LEAST_ACCURACY = {
    "cnn_digits_4bit": 0.95,
    "lenet5_digits": 0.97,
    "lenet5_mnist_spatial": 0.97,
    "lenet5_mnist_spindrop": 0.98,
    "mlp_digits": 0.95,
    "vgg_small_cifar10": 0.2,  # twice chance: it is barely trained
}
CHECKPOINT_BYTES = 1_000_000


@pytest.fixture(params=FILES, ids=lambda f: f.stem)
def workload(request) -> Workload:
    return load_workload(request.param)


def test_there_are_workloads():
    assert {f.stem for f in FILES} == set(LEAST_ACCURACY)


def test_schema_is_fresh(tmp_path):
    write_schema(tmp_path / "schema.json")
    assert (tmp_path / "schema.json").read_text() == SCHEMA.read_text(), (
        "run: python -m archsim.workload.spec workloads/schema/workload.schema.json"
    )


def test_file_obeys_the_schema(workload):
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    data = read_yaml(workload.path)
    validator.validate(data)
    assert workload.path.read_text().startswith("# yaml-language-server: $schema=schema/workload.schema.json")
    assert not validator.is_valid({**data, "pases": 3})
    assert not validator.is_valid({**data, "passes": 0})


def test_name_and_facts(workload):
    config = workload.config
    assert config.name == workload.path.stem
    assert config.trained is not None
    assert config.trained.accuracy >= LEAST_ACCURACY[config.name]
    assert workload.require_checkpoint().stat().st_size < CHECKPOINT_BYTES


def test_facts_are_those_of_the_checkpoint(workload):
    from archsim.workload.checkpoint import build_model, load_checkpoint

    recorded = load_checkpoint(build_model(workload), workload.checkpoint_path)
    stated = workload.config.trained.model_dump()
    assert {k: v for k, v in recorded.items() if k != "note"} == {k: v for k, v in stated.items() if k != "note"}


def test_traces(workload, tmp_path):
    from archsim.workload.cache import trace_workload

    trace = trace_workload(workload)
    assert trace.input_shape == workload.input_shape
    assert trace.output.shape == (10,)
    assert list(trace.stochastic_nodes())
    assert load_trace(save_trace(trace, tmp_path / "t")).content_hash() == trace.content_hash()


def test_vgg_small_has_the_papers_size():
    """4,656,512 weights and 607.6 M multiply-accumulates: hand arithmetic from 128-128-256-256-512-512-FC10."""
    from archsim.workload.cache import trace_workload

    trace = trace_workload(load_workload(FOLDER / "vgg_small_cifar10.yaml"))
    layers = [(n.op.weights.values.size, n) for n in trace.crossbar_nodes()]
    assert sum(size for size, _ in layers) == 4_656_512
    macs = sum(size * (n.shape[1] * n.shape[2] if isinstance(n.op, Conv) else 1) for size, n in layers)
    assert macs == pytest.approx(607.6e6, rel=1e-3)


@pytest.mark.parametrize("name", ["lenet5_mnist_spatial", "lenet5_mnist_spindrop"])
def test_lenet_has_the_papers_layers(name):
    from archsim.workload.cache import trace_workload

    trace = trace_workload(load_workload(FOLDER / f"{name}.yaml"))
    shapes = [n.op.weights.values.shape for n in trace.crossbar_nodes()]
    assert shapes == [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]
    assert all(n.op.weights.bits == 1 for n in trace.crossbar_nodes() if isinstance(n.op, Conv | Linear))


def test_stated_accuracy_is_plausible(workload):
    """A thousand images, fewer passes: within five standard errors of what the file says."""
    if workload.config.name.startswith("vgg"):
        pytest.skip("takes a minute; test_stated_accuracy_is_exact, which is slow, includes it")
    trained = workload.config.trained
    error = np.sqrt(trained.accuracy * (1 - trained.accuracy) / min(trained.images, 1000))
    assert abs(measure(workload, min(trained.images, 1000), 5) - trained.accuracy) < 5 * error


@pytest.mark.slow
def test_stated_accuracy_is_exact(workload):
    trained = workload.config.trained
    assert measure(workload, trained.images, trained.passes) == pytest.approx(trained.accuracy, abs=1e-3)


def measure(workload: Workload, images: int, passes: int) -> float:
    from archsim.workload.checkpoint import load_model
    from archsim.workload.training import accuracy

    try:
        test = workload.data(images)
    except DataError as error:
        pytest.skip(str(error))
    return accuracy(load_model(workload), test, passes)
