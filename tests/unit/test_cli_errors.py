"""Wrong input of every kind, through the real commands: one clear error, exit code 2, nothing on stdout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.workload.trace import Dropout, Flatten, Linear, Node, Sign, Trace, Weights
from archsim.workload.tracefile import save_trace

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "arch_configs"
CHIP = CONFIGS / "spatial_spindrop_stt.yaml"
DIGITS = {"name": "digits", "split": "test", "preprocessing": "unit"}


def wrong(*arguments: object) -> list[str]:
    """Call a command that must fail; return the lines of its errors, without the word 'error'."""
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert lines
    assert all(line.startswith("error: ") for line in lines), done.stderr
    return [line.removeprefix("error: ") for line in lines]


def only(*arguments: object) -> str:
    """Call a command that must fail with one error; return it."""
    lines = wrong(*arguments)
    assert len(lines) == 1, lines
    return lines[0]


def network(inputs: tuple[int, ...] = (64,), *, outputs: int = 10, dataset: object = None) -> Trace:
    """Return a network of one layer."""
    size = int(np.prod(inputs))
    weights = np.where(np.arange(outputs * size).reshape(outputs, size) % 3, 1, -1).astype(np.int8)
    nodes = (
        Node("sign", Sign(), ("input",), inputs),
        Node("flatten", Flatten(), ("sign",), (size,)),
        Node("fc", Linear(Weights(weights, 1, np.ones(1, np.float32))), ("flatten",), (outputs,)),
    )
    return Trace("one_layer", inputs, nodes, {"dataset": dataset} if dataset else {})


@pytest.fixture
def trace(tmp_path):
    return save_trace(network(), tmp_path / "net.safetensors")


def retold(trace: Path, change) -> Path:
    """Rewrite a trace file after `change` has had its hands on arrays and graph."""
    arrays = safetensors.numpy.load_file(trace)
    header = int.from_bytes(trace.read_bytes()[:8], "little")
    metadata = json.loads(trace.read_bytes()[8 : 8 + header])["__metadata__"]
    graph = json.loads(metadata["graph"])
    change(arrays, graph)
    trace.write_bytes(safetensors.numpy.save(arrays, metadata | {"graph": json.dumps(graph)}))
    return trace


@pytest.fixture
def chip_file(tmp_path):
    """Write an architecture: the shipped chip with some lines laid over it."""

    def write(lines: str) -> Path:
        path = tmp_path / "chip.yaml"
        library = CONFIGS / "components_28nm.yaml"
        path.write_text(f"schema: archsim/arch@1\nbase: {CHIP}\nlibrary: {library}\n{lines}\n")
        return path

    return write


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("clock: 500 MHy", ("clock: ", "MHy", "MHz")),
        ("clock: 5 ns", ("clock: ", "frequency", "5 ns")),
        ("clock: 500", ("clock: ",)),
        ("converter: {costs: {convert: {energy: {value: -1 pJ, range: [0 pJ, 1 pJ], grade: READ}}}}",
         ("converter.costs.convert.energy", "negative")),
        ("cloock: 1 MHz", ("cloock: unknown key; did you mean 'clock'?",)),
        ("crossbar: {rowz: 64}", ("crossbar.rowz: unknown key; did you mean 'rows'?",)),
        ("crossbar: {rows: 0}", ("crossbar.rows: ", "got 0")),
        ("schedule: pipelined", ("schedule: unknown value 'pipelined'; did you mean 'pipelined_",)),
        ("corner: nominl", ("nominl", "did you mean 'nominal'?")),
        ("library: nowhere.yaml", ("nowhere.yaml", "no such file")),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
@pytest.mark.parametrize("command", ["check", "show", "run"])
def test_a_wrong_architecture(chip_file, trace, command, lines, said):
    file = chip_file(lines)
    if "library" in lines:
        file.write_text(file.read_text().replace(f"library: {CONFIGS / 'components_28nm.yaml'}\n", ""))
    error = only(command, file, *([trace] if command == "run" else []))
    assert all(word in error for word in said), error


def test_every_problem_of_every_file_at_once(chip_file, tmp_path):
    chip = chip_file("clock: 500 MHy\ncloock: 1 MHz\ncrossbar: {rows: 0}")
    workload = tmp_path / "net.yaml"
    workload.write_text("schema: archsim/workload@1\nname: x\npasses: 0\n")
    library = tmp_path / "parts.yaml"
    library.write_text("schema: archsim/components@1\nperipheral: {adc: {energy: {value: 1 pJ, grade: READ}}}\n")
    lines = wrong("check", chip, CHIP.parent / "missing.yaml", workload, library)
    for path, words in ((chip, ("MHy", "cloock", "rows")), (workload, ("passes", "model"))):
        for word in words:
            assert any(str(path) in line and word in line for line in lines), (word, lines)
    assert any("missing.yaml" in line and "no such file" in line for line in lines)
    assert any(str(library) in line and "peripheral.adc.energy" in line for line in lines)


def test_good_files_are_said_to_be_good_beside_bad_ones(tmp_path):
    done = CliRunner().invoke(app, ["check", str(CHIP), str(tmp_path / "missing.yaml")])
    assert done.exit_code == 2
    assert done.stdout.startswith(f"ok  {CHIP}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("- a\n- b\n", "keys and values"),
        ("a: [1, 2\n", "line"),
        ("schema: archsim/arch@1\nname: !!python/object/apply:os.system ['false']\n", "tag"),
        ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ), ""),
        ("schema: archsim/chip@1\nname: x\n", "archsim/arch@1"),
        ("name: x\n", "schema: missing"),
        ("\x00\x01\x02", ""),
    ],
    ids=["empty", "list", "syntax", "unsafe tag", "bomb", "foreign schema", "no schema", "binary"],
)  # fmt: skip
def test_a_file_that_is_no_configuration(tmp_path, content, said):
    file = tmp_path / "strange.yaml"
    file.write_text(content)
    for command in ("check", "show"):
        error = only(command, file)
        assert str(file) in error
        assert len(error) < 400
        assert said in error or (command == "show" and "schema" in error)


@pytest.mark.parametrize("name", ["missing.yaml", "missing.safetensors"])
def test_a_missing_network(tmp_path, name):
    error = only("run", CHIP, tmp_path / name)
    assert name in error
    assert "no such file" in error


@pytest.mark.parametrize("name", ["folder.yaml", "folder.safetensors", "folder"])
def test_a_folder_instead_of_a_file(tmp_path, trace, name):
    folder = tmp_path / name
    folder.mkdir()
    assert str(folder) in only("run", CHIP, folder)
    assert str(folder) in only("check", folder)
    assert str(folder) in only("run", folder, trace)


@pytest.mark.parametrize("kept", [0, 4, 200, -3])
def test_a_truncated_trace(trace, kept):
    trace.write_bytes(trace.read_bytes()[:kept])
    for command in (["run", CHIP, trace], ["check", trace], ["map", CHIP, trace]):
        assert "truncated" in only(*command)


def test_nan_weights_in_a_trace(trace):
    def poison(arrays, graph):
        key = next(k for k in arrays if k.endswith("scale"))
        arrays[key][0] = np.nan

    error = only("run", CHIP, retold(trace, poison), "--costs-only")
    assert str(trace) in error
    assert "finite" in error


def test_a_network_without_layers(trace):
    def strip(arrays, graph):
        graph["nodes"] = graph["nodes"][:1]

    assert "no layer" in only("run", CHIP, retold(trace, strip), "--costs-only")


def test_a_trace_with_a_damaged_graph(trace):
    def damage(arrays, graph):
        graph["nodes"][2]["inputs"] = ["nobody"]

    error = only("run", CHIP, retold(trace, damage), "--costs-only")
    assert "'fc'" in error
    assert "nobody" in error


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--passes", "0"), "passes: must be at least 1, got 0"),
        (("--images", "0"), "images: must be at least 1, got 0"),
        (("--images", "-5"), "images: must be at least 1, got -5"),
        (("--schedule", "pipelined"), "schedule: 'pipelined'"),
        (("--grain", "pixel"), "grain: 'pixel'"),
        (("--set", "crossbar.rwos=64"), "crossbar.rwos: unknown key; did you mean 'rows'?"),
        (("--set", "crossbar.rows"), "expected path.to.key=value"),
        (("--set", "name.x=1"), "--set name.x=1"),
        (("--set", "clock=[1"), "--set clock=[1"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_a_wrong_option(trace, option, said):
    assert said in only("run", CHIP, trace, "--costs-only", *option)


def test_images_of_another_shape(tmp_path):
    trace = save_trace(network((1, 5, 5), dataset=DIGITS), tmp_path / "net.safetensors")
    error = only("run", CHIP, trace, "--images", 2)
    assert "5" in error
    assert "8" in error


def test_a_trace_that_names_no_images(trace):
    assert "data set" in only("run", CHIP, trace)


def test_an_unknown_data_set(tmp_path):
    trace = save_trace(network(dataset=DIGITS | {"name": "digit"}), tmp_path / "net.safetensors")
    assert "did you mean 'digits'?" in only("run", CHIP, trace)


def test_more_images_than_there_are(tmp_path):
    trace = save_trace(network((1, 8, 8), dataset=DIGITS), tmp_path / "net.safetensors")
    error = only("run", CHIP, trace, "--images", 100000)
    assert "360" in error


def test_a_network_that_draws_bits_on_a_chip_without_modules(tmp_path):
    plain = network()
    drop = Node("drop", Dropout(0.1, "element"), ("sign",), (64,))
    trace = replace(plain, nodes=(plain.nodes[0], drop, replace(plain.nodes[2], inputs=("drop",))))
    file = save_trace(trace, tmp_path / "net.safetensors")
    error = only("run", CHIP, file, "--costs-only", "--set", "stochastic=null")
    assert "'drop'" in error
    assert "stochastic" in error


def test_a_network_larger_than_the_chip(tmp_path):
    trace = save_trace(network((2000,), outputs=600), tmp_path / "net.safetensors")
    one = ("--set", "organisation={columns: 1, rows: 1, crossbars_per_core: 4}")
    for command in ("run", "map"):
        error = only(command, CHIP, trace, *(["--costs-only"] if command == "run" else []), *one)
        assert "80" in error  # 16 row tiles x 5 column tiles of 128 x 128
        assert "4" in error


@pytest.mark.parametrize("place", ["file/out", "full", "file"])
def test_an_output_folder_that_cannot_be_written(tmp_path, trace, place):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "result.json").write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    error = only("run", CHIP, trace, "--costs-only", "--images", 2, "--out", tmp_path / place)
    assert str(tmp_path / place) in error
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "full" / "result.json").read_text() == "precious"


def test_a_timeline_that_cannot_be_written(tmp_path, trace):
    for place in (tmp_path, tmp_path / "nowhere" / "timeline.json"):
        assert str(place) in only("run", CHIP, trace, "--costs-only", "--images", 2, "--timeline", place)


def test_a_trace_file_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("")
    workload = ROOT / "workloads" / "mlp_digits.yaml"
    assert "file" in only("trace", workload, "-o", tmp_path / "file" / "net.safetensors")


def test_a_workload_without_a_checkpoint(tmp_path):
    file = tmp_path / "net.yaml"
    file.write_text(
        "schema: archsim/workload@1\nname: x\ndescription: x\nmodel: workloads.mlp:MLP\ncheckpoint: x.safetensors\n"
        "dataset: {name: digits}\ntraining: {epochs: 1}\n"
    )
    assert f"archsim train {file}" in only("run", CHIP, file)
    checked = CliRunner().invoke(app, ["check", str(file)])
    assert checked.exit_code == 0
    assert "warning: " in checked.stderr


def test_training_of_what_is_no_workload():
    assert "archsim/workload@1" in only("train", CHIP)
