"""Workload files, data sets, checkpoints, training, and the trace cache."""

import gzip
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from archsim import nn as bnn
from archsim.errors import ConfigError, DataError
from archsim.workload import cache, checkpoint
from archsim.workload.cache import key_of, trace_of
from archsim.workload.checkpoint import build_model, load_checkpoint, load_model, save_checkpoint
from archsim.workload.data import DIGITS_TRAIN, load_dataset
from archsim.workload.spec import load_workload
from archsim.workload.tracefile import save_trace
from archsim.workload.training import accuracy, fit, train

MODEL = """
from torch import nn
from archsim.nn import BinaryLinear, Quantize, Sign, SpinDrop

class Tiny(nn.Sequential):
    def __init__(self, width=16, p=0.1):
        super().__init__(nn.Flatten(), Quantize(4, scale=0.0625), BinaryLinear(64, width), nn.BatchNorm1d(width),
                         Sign(), SpinDrop(p), BinaryLinear(width, 10))

class Plain(nn.Sequential):
    def __init__(self, width):
        super().__init__(nn.Flatten(), nn.Linear(64, 10))

def helper():
    pass

BROKEN = 1
"""
YAML = """
schema: archsim/workload@1
name: tiny
description: a test
model: nets.tiny:Tiny
arguments: {width: 16}
checkpoint: tiny.safetensors
dataset: {name: digits}
passes: 3
images: 50
training: {epochs: 2, batch_size: 100}
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A project folder with a network, a workload file and a trained checkpoint; caches in a folder of their own."""
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "tiny.py").write_text(MODEL)
    (tmp_path / "yaml").mkdir()
    path = tmp_path / "yaml" / "tiny.yaml"
    path.write_text(YAML)
    torch.manual_seed(0)
    workload = load_workload(path)
    save_checkpoint(build_model(workload), workload.checkpoint_path)
    return workload


def test_digits_split_is_fixed_and_disjoint():
    train_set, test_set = load_dataset("digits", "train"), load_dataset("digits", "test")
    assert len(train_set) == DIGITS_TRAIN
    assert len(test_set) == 1797 - DIGITS_TRAIN
    assert train_set.images.shape[1:] == (1, 8, 8)
    assert train_set.images.dtype == np.float32
    assert (train_set.images.min(), train_set.images.max()) == (0, 1)
    seen = {image.tobytes() for image in train_set.images}
    assert not any(image.tobytes() in seen for image in test_set.images)
    from sklearn.datasets import load_digits

    whole = load_digits()
    counts = np.bincount(np.concatenate([train_set.labels, test_set.labels]))
    np.testing.assert_array_equal(counts, np.bincount(whole.target))
    images = np.concatenate([train_set.images, test_set.images]) * 16
    assert images.sum() == whole.images.sum()


def test_dataset_options():
    centred = load_dataset("digits", count=7, centred=True)
    np.testing.assert_allclose(centred.images, load_dataset("digits", count=7).images * 2 - 1)
    assert len(centred) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digit",), "did you mean 'digits'"),
        (("digits", "tests"), "no split 'tests'; did you mean 'test'"),
        (("digits", "test", 361), "has 360 test images, 361 were asked for"),
        (("digits", "test", 0), "at least one image"),
    ],
)
def test_dataset_requests_that_cannot_be_met(arguments, message):
    name, split, count = (*arguments, "test", None)[:3] if len(arguments) < 3 else arguments
    with pytest.raises(DataError, match=message):
        load_dataset(name, split if len(arguments) > 1 else "test", count=count if len(arguments) > 2 else None)


def test_missing_data_says_which_file_and_how(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    for name, file in (("mnist", "t10k-images-idx3-ubyte.gz"), ("cifar10", "test-00000-of-00001.parquet")):
        with pytest.raises(DataError, match=f"{file}.*set ARCHSIM_DATA"):
            load_dataset(name)


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape) + values.tobytes()


def write_mnist(folder: Path, images: bytes, labels: bytes) -> None:
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))


def test_idx_files_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    write_mnist(tmp_path, idx(images), idx(np.arange(5, dtype=np.uint8)))
    got = load_dataset("mnist", count=4)
    np.testing.assert_array_equal(got.images[:, 0], images[:4] / np.float32(255))
    assert got.labels.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0", "not an IDX"),
        (b"\0\0\x0d\3abcd", "not an IDX"),
        (idx(np.ones((5, 28, 28), np.uint8))[:-9], "truncated"),
    ],
)
def test_damaged_idx_is_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    write_mnist(tmp_path, content, idx(np.arange(5, dtype=np.uint8)))
    with pytest.raises(DataError, match=message):
        load_dataset("mnist")


def test_damaged_gzip_and_parquet_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    write_mnist(tmp_path, b"", b"")
    (tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match="damaged"):
        load_dataset("mnist")
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / "test-00000-of-00001.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="damaged"):
        load_dataset("cifar10")


def test_cifar_images_are_decoded(tmp_path, monkeypatch):
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    rows = []
    for image in pixels:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        rows.append({"bytes": buffer.getvalue(), "path": None})
    (tmp_path / "cifar10").mkdir()
    pq.write_table(pa.table({"img": rows, "label": [3, 1, 4, 1]}), tmp_path / "cifar10" / "test-00000-of-00001.parquet")
    got = load_dataset("cifar10", count=3)
    np.testing.assert_array_equal(got.images, (pixels[:3] / np.float32(255)).transpose(0, 3, 1, 2).astype(np.float32))
    assert got.labels.tolist() == [3, 1, 4]


def test_real_mnist_when_present():
    try:
        test_set = load_dataset("mnist")
    except DataError as error:
        pytest.skip(str(error))
    assert test_set.images.shape == (10000, 1, 28, 28)
    assert np.bincount(test_set.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_all_problems_of_a_workload_are_reported(tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text(
        YAML.replace("passes: 3", "passes: 0\npases: 2")
        .replace("digits", "digit")
        .replace("nets.tiny:Tiny", "os.system('x')")
    )
    with pytest.raises(ConfigError) as caught:
        load_workload(path)
    text = str(caught.value)
    for part in (
        "passes: ",
        "pases: unknown key; did you mean 'passes'",
        "dataset.name: ",
        "did you mean 'digits'",
        "model: ",
    ):
        assert part in text, text


def test_overrides(tiny):
    workload = load_workload(tiny.path, ("passes=7", "arguments.width=32"))
    assert workload.config.passes == 7
    assert build_model(workload)[2].out_features == 32


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model=nets.none:Tiny", "there is no 'nets/none.py'"),
        ("model=nets.tiny:Tin", "has no 'Tin'; did you mean 'Tiny'"),
        ("model=nets.tiny:helper", "not a torch module"),
        ("model=nets.tiny:BROKEN", "'BROKEN' is not a torch module"),
        ("arguments.depth=3", "refuses them.*depth"),
        ("arguments.p=2", r"refuses them: the dropout rate must be in \[0, 1\)"),
    ],
)
def test_network_that_cannot_be_built(tiny, override, message):
    with pytest.raises(ConfigError, match=message):
        build_model(load_workload(tiny.path, (override,)))


def test_an_operation_that_is_not_complete(tiny):
    (tiny.model_file().parent / "ops.py").write_text(
        "from archsim.workload.ops import Stochastic\nclass Half(Stochastic):\n    kind = 'half'\n"
    )
    with pytest.raises(ConfigError, match="'Half' lacks apply"):
        trace_of(load_workload(tiny.path, ("operations=['nets.ops:Half']",)))


def test_network_file_that_fails(tiny):
    tiny.model_file().write_text("import no_such_module_anywhere")
    with pytest.raises(ConfigError, match="cannot be imported: ModuleNotFoundError"):
        build_model(tiny)
    assert str(tiny.model_file().parents[1]) not in sys.path


def test_checkpoint_comes_back_in_bits(tmp_path):
    torch.manual_seed(1)
    layers = (
        bnn.Sign(),
        bnn.BinaryLinear(300, 400),
        nn.BatchNorm1d(400),
        bnn.Sign(),
        bnn.BinaryLinear(400, 3, standardise=False),
    )
    model, other = (
        nn.Sequential(*layers),
        nn.Sequential(
            bnn.Sign(),
            bnn.BinaryLinear(300, 400),
            nn.BatchNorm1d(400),
            bnn.Sign(),
            bnn.BinaryLinear(400, 3, standardise=False),
        ),
    )
    model(torch.randn(50, 300))
    path = save_checkpoint(model.eval(), tmp_path / "c", {"epochs": 3})
    assert path.stat().st_size < 300 * 400 / 8 + 400 * 4 * 4 + 3000
    assert load_checkpoint(other, path) == {"epochs": 3}
    x = torch.randn(20, 300)
    assert torch.equal(model(x), other.eval()(x))


def test_checkpoint_that_does_not_fit(tiny, tmp_path):
    with pytest.raises(DataError, match=r"'2.weight' has shape \(16, 64\), the network wants \(17, 64\)"):
        load_model(load_workload(tiny.path, ("arguments.width=17",)))
    save_checkpoint(nn.Linear(3, 2), tmp_path / "linear")
    with pytest.raises(DataError, match=r"'2.weight' is missing"):
        load_checkpoint(build_model(tiny), tmp_path / "linear")
    tiny.checkpoint_path.write_bytes(tiny.checkpoint_path.read_bytes()[:-50])
    with pytest.raises(DataError, match="truncated"):
        load_model(tiny)
    tiny.checkpoint_path.unlink()
    with pytest.raises(DataError, match=r"make one: archsim train .*tiny.yaml"):
        load_model(tiny)


def test_checkpoint_with_nan_or_plain_weights_is_refused(tmp_path):
    model = nn.Linear(3, 2)
    nn.init.constant_(model.bias, float("nan"))
    save_checkpoint(model, tmp_path / "nan")
    with pytest.raises(DataError, match="'bias' holds NaN"):
        load_checkpoint(nn.Linear(3, 2), tmp_path / "nan")
    plain = nn.Linear(3, 2, bias=False)
    save_checkpoint(plain, tmp_path / "plain")
    with pytest.raises(DataError, match="does not hold 1-bit weights"):
        load_checkpoint(bnn.BinaryLinear(3, 2), tmp_path / "plain")


def test_trace_file_is_no_checkpoint(tiny):
    save_trace(trace_of(tiny), tiny.checkpoint_path)
    with pytest.raises(DataError, match="wanted schema 'archsim/checkpoint@1', found 'archsim/trace@1'"):
        load_model(tiny)


def test_training_learns_repeats_and_leaves_the_generator(tiny):
    workload = load_workload(tiny.path, ("training.epochs=12", "arguments.width=64"))
    state = torch.get_rng_state()
    result = train(workload, quiet=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert result.trained.accuracy > 0.8
    assert result.trained.images == 50
    content = result.checkpoint.read_bytes()
    again = train(workload, quiet=True)
    assert all(
        torch.equal(a, b)
        for a, b in zip(result.model.state_dict().values(), again.model.state_dict().values(), strict=True)
    )
    assert len(again.checkpoint.read_bytes()) == pytest.approx(len(content), abs=8)  # only the seconds differ
    loaded = load_model(workload)
    assert accuracy(loaded, workload.data(50), 3) == result.trained.accuracy


def test_training_that_diverges_says_so(tiny):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    nn.init.uniform_(model[1].weight, 1e38, 3e38)  # scores overflow, the loss is NaN
    with pytest.raises(DataError, match="diverged in epoch 1"):
        fit(model, tiny.data(50), tiny.config.training)


def test_cache_is_used_and_depends_on_what_matters(tiny):
    first = trace_of(tiny)
    entries = list(cache.cache_folder().iterdir())
    assert len(entries) == 1
    save_trace(first, entries[0])
    assert trace_of(tiny).content_hash() == first.content_hash()
    key = key_of(tiny)
    assert key_of(load_workload(tiny.path, ("passes=9", "images=3", "description=x"))) == key
    assert key_of(load_workload(tiny.path, ("arguments.p=0.2",))) != key
    source = tiny.model_file()
    source.write_text(source.read_text() + "\n# changed")
    changed = key_of(tiny)
    assert changed != key
    save_checkpoint(build_model(tiny), tiny.checkpoint_path)
    assert key_of(tiny) != changed


def test_damaged_cache_entry_is_rebuilt(tiny, caplog):
    first = trace_of(tiny)
    entry = next(cache.cache_folder().iterdir())
    entry.write_bytes(b"rubbish")
    with caplog.at_level(logging.WARNING):
        assert trace_of(tiny).content_hash() == first.content_hash()
    assert "damaged cache entry" in caplog.text
    assert entry.stat().st_size > 100


def test_unwritable_cache_is_not_fatal(tiny, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        assert trace_of(tiny).name == "tiny"
    assert "not cached" in caplog.text


def test_cached_trace_needs_no_torch(tiny):
    trace_of(tiny)
    code = (
        "import sys, json\n"
        "from archsim.workload.spec import load_workload\n"
        "from archsim.workload.cache import trace_of\n"
        f"w = load_workload({str(tiny.path)!r}); t = trace_of(w); w.data(5)\n"
        "print(json.dumps([t.name, [m for m in ('torch', 'numba', 'pandas', 'sklearn') if m in sys.modules]]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), check=True)
    assert json.loads(out.stdout) == ["tiny", []]


def test_two_projects_may_share_a_package_name(tiny, tmp_path):
    other = tmp_path / "other"
    (other / "nets").mkdir(parents=True)
    (other / "nets" / "tiny.py").write_text(MODEL.replace("width=16", "width=5"))
    (other / "tiny.yaml").write_text(YAML.replace("{width: 16}", "{}"))
    assert build_model(load_workload(other / "tiny.yaml"))[2].out_features == 5
    assert build_model(tiny)[2].out_features == 16
    assert checkpoint.SCHEMA == "archsim/checkpoint@1"
