from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from archsim.config import (
    Area,
    Bandwidth,
    Data,
    Document,
    Energy,
    Model,
    Temperature,
    Time,
    Voltage,
    content_hash,
    dump,
    json_schema,
    load,
    merge,
    override,
    read_yaml,
    validate,
)
from archsim.config.yaml_file import MAX_DEPTH, load_text
from archsim.errors import ConfigError


class Adc(Model):
    kind: Literal["adc"]
    bits: int = Field(ge=1, le=12)
    energy: Energy | None = None


class SenseAmplifier(Model):
    kind: Literal["sense_amplifier"]
    columns: int = 1
    bits: Literal[1] = 1


class Buffer(Model):
    capacity: Data
    bandwidth: Bandwidth = 1e9
    cycle: Time = 1e-9


class Chip(Document):
    SCHEMA: ClassVar[str] = "archsim/test@1"

    name: str
    supply: Annotated[Voltage, Field(gt=0)]
    temperature: Temperature = 300.0
    converter: Annotated[Adc | SenseAmplifier, Field(discriminator="kind")]
    input_buffer: Buffer | None = None
    grid: tuple[int, int] = (1, 1)
    parts: dict[str, Buffer] = Field({})
    spare: tuple[Adc, ...] = ()
    order: Literal["row", "column"] = "row"
    amount: float | str = 1.0
    clocked: bool = True
    area: Area = 0.0

    @model_validator(mode="after")
    def _wide_enough(self) -> Chip:
        if self.grid[0] > 9:
            raise ValueError("grid: more than 9 columns")
        return self


GOOD: dict[str, Any] = {
    "schema": "archsim/test@1",
    "name": "small",
    "supply": "0.9 V",
    "converter": {"kind": "adc", "bits": 5, "energy": "0.406 pJ"},
    "input_buffer": {"capacity": "4 KiB"},
    "grid": [2, 3],
}


def problems(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as error:
        validate(Chip, {**GOOD, **changes}, "chip.yaml")
    return error.value.problems


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Models and messages


def test_quantities_become_si() -> None:
    chip = validate(Chip, GOOD, "chip.yaml")
    assert isinstance(chip.converter, Adc)
    assert chip.converter.energy == 0.406e-12
    assert chip.supply == 0.9
    assert chip.input_buffer is not None
    assert chip.input_buffer.capacity == 32768
    assert isinstance(chip.input_buffer.capacity, int)
    assert chip.temperature == 300.0
    assert chip.grid == (2, 3)


def test_models_are_frozen() -> None:
    chip = validate(Chip, GOOD, "chip.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        chip.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"nam": "x"}, "nam: unknown key; did you mean 'name'?"),
        ({"converter": {"kind": "adc", "bits": 5, "bit": 5}}, "converter.bit: unknown key; did you mean 'bits'?"),
        (
            {"converter": {"kind": "sense_amplifier", "column": 5}},
            "converter.column: unknown key; did you mean 'columns'?",
        ),
        ({"converter": {"kind": "sense_amplifier", "bits": 4}}, "converter.bits: must be 1, got 4"),
        ({"converter": {"kind": "acd"}}, "converter: unknown value 'acd'; did you mean 'adc'?"),
        ({"converter": {}}, "converter: needs the key 'kind'"),
        ({"converter": {"kind": "adc"}}, "converter.bits: is missing"),
        ({"converter": 5}, "converter: input should be an object, got 5"),
        ({"parts": {"a": {"capacity": "1 KiB", "width": 3}}}, "parts.a.width: unknown key; did you mean 'bandwidth'?"),
        (
            {"spare": [{"kind": "adc", "bits": 1}, {"kind": "adc", "bits": 0}]},
            "spare.1.bits: input should be greater than or equal to 1, got 0",
        ),
        ({"order": "colum"}, "order: unknown value 'colum'; did you mean 'column'?"),
        ({"supply": 0.9}, "supply: expected a quantity of voltage in V, like '0.9 V', got 0.9 without a unit"),
        ({"supply": "3 ns"}, "supply: expected a quantity of voltage in V, like '0.9 V', got '3 ns'"),
        ({"supply": "-1 V"}, "supply: input should be greater than 0, got '-1 V'"),
        ({"area": "-1 um^2"}, "area: must not be negative, got '-1 um^2'"),
        ({"input_buffer": {"capacity": "0.3 B"}}, "input_buffer.capacity: must be a whole number of bits, got '0.3 B'"),
        ({"grid": [2, "3"]}, "grid.1: input should be a valid integer, got '3'"),
        ({"grid": [2, 3.5]}, "grid.1: input should be a valid integer, got 3.5"),
        ({"grid": [2, True]}, "grid.1: input should be a valid integer, got true"),
        ({"clocked": "yes"}, "clocked: input should be a valid boolean, got 'yes'"),
        ({"clocked": 1}, "clocked: input should be a valid boolean, got 1"),
        ({"name": 5}, "name: input should be a valid string, got 5"),
        (
            {"amount": float("nan")},
            "amount: input should be a finite number or input should be a valid string, got NaN",
        ),
        ({"grid": [10, 1]}, "grid: more than 9 columns"),
    ],
)
def test_messages_name_the_place_and_the_nearest_word(changes: dict[str, Any], problem: str) -> None:
    assert problems(**changes) == (f"chip.yaml: {problem}",)


def test_all_problems_are_said_at_once() -> None:
    found = problems(nam="x", supply="3 ns", grid=[1], converter={"kind": "adc", "bits": 99})
    assert len(found) == 4
    assert all(line.startswith("chip.yaml: ") for line in found)


def test_defaults_and_dump_round_trip() -> None:
    chip = validate(Chip, GOOD, "chip.yaml")
    text = json.dumps(dump(chip))
    assert validate(Chip, json.loads(text), "again") == chip
    assert dump(chip)["converter"]["energy"] == "406 fJ"
    assert dump(chip)["schema"] == "archsim/test@1"


@given(st.floats(0, 1e3, allow_subnormal=False), st.integers(0, 2**50))
def test_any_quantity_round_trips(energy: float, bits: int) -> None:
    adc = Adc(kind="adc", bits=3, energy=f"{energy!r} J")  # type: ignore[arg-type]
    assert validate(Adc, dump(adc), "x") == adc
    buffer = Buffer(capacity=f"{bits} bit")  # type: ignore[arg-type]
    assert validate(Buffer, dump(buffer), "x").capacity == bits


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (None, "schema: missing; the file must say 'schema: archsim/test@1'"),
        (
            "archsim/test@2",
            "expected 'archsim/test@1', got 'archsim/test@2' (another version of the same kind of file)",
        ),
        ("archsim/workload@1", "expected 'archsim/test@1', got 'archsim/workload@1'"),
        (7, "expected 'archsim/test@1', got '7'"),
    ],
)
def test_a_wrong_schema_is_one_error_and_the_only_one(schema: object, message: str) -> None:
    (only,) = problems(schema=schema, nonsense=1)
    assert message in only


def test_data_that_is_not_plain_is_refused() -> None:
    (only,) = problems(name=object())
    assert "not plain data" in only


def test_content_hash_depends_on_content_alone() -> None:
    chip = validate(Chip, GOOD, "a")
    reordered = validate(Chip, dict(reversed(GOOD.items())), "b")
    assert content_hash(chip) == content_hash(reordered) == content_hash(dump(chip))
    assert content_hash(chip) != content_hash(validate(Chip, {**GOOD, "supply": "0.91 V"}, "c"))
    # the canonical form is fixed, so that the hashes of stored results stay comparable
    canonical = rb'{"a":"\u00e9","b":[1,2.5]}'
    assert content_hash({"b": [1, 2.5], "a": "é"}) == hashlib.sha256(canonical).hexdigest()
    with pytest.raises(ConfigError, match="cannot hash"):
        content_hash({"a": float("nan")})


def test_json_schema_accepts_files_and_refuses_mistakes() -> None:
    schema = json_schema(Chip)
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema)
    assert checker.is_valid(GOOD)
    assert checker.is_valid(dump(validate(Chip, GOOD, "x")))
    assert checker.is_valid({"schema": "archsim/test@1", "base": "other.yaml", "converter": {"bits": 4}})
    assert checker.is_valid({"schema": "archsim/test@1", "converter": {}})  # either kind; `oneOf` would refuse it
    for wrong in ({"nam": 1}, {"supply": 0.9}, {"supply": "0.9"}, {"area": "-1 um^2"}, {"schema": "archsim/test@2"}):
        assert not checker.is_valid({**GOOD, **wrong}), wrong
    assert schema["properties"]["supply"]["examples"] == ["0.9 V"]


# YAML files


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-12", 1e-12),  # text in YAML 1.1
        ("1.5e3", 1500.0),
        ("-.5", -0.5),
        ("12", 12),
        ("010", 10),  # eight in YAML 1.1
        ("0x1F", 31),
        ("0o17", 15),
        ("1:30", "1:30"),  # ninety in YAML 1.1
        ("no", "no"),  # false in YAML 1.1
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("2024-01-01", "2024-01-01"),  # a date in YAML 1.1
        ("1_000", "1_000"),
        ("0.41 pJ", "0.41 pJ"),
        ("[1, 2 ns]", [1, "2 ns"]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
        ("&x [1]", [1]),
        ("{a: &x [1], b: *x}", {"a": [1], "b": [1]}),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = load_text(text, "x")
    assert found == value
    assert type(found) is type(value)


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1, 2", "line 3: did not find expected ',' or ']'"),
        ("a: 1\na: 2", "line 2: the key 'a' appears twice"),
        ("x: 1\ny: {b: 1,\n  b: 2}", "line 3: the key 'b' appears twice"),
        ("a: !!python/object/apply:os.system [true]", "line 1: the tag 'tag:yaml.org,2002:python"),
        ("a: !secret x", "tag '!secret' is not allowed"),
        ("a: *nothing", "line 1: the alias '*nothing' names nothing"),
        ("a: &a [*a]", "the alias '*a' names nothing"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "line 3: merge keys"),
        ("[1, 2]: x", "line 1: a key must be a plain word"),
        ("a: 1\n---\nb: 2", "a second document"),
        (bomb(8), "more than"),
        ("a: " + "[" * 200 + "]" * 200, f"nested more than {MAX_DEPTH} deep"),
        ("a: " + "[" * 5000, "nested more than"),
        ("a:\t- b\n\t- c", "line"),
        ("", "it is empty"),
        ("- 1\n- 2", "expected keys and values at the top, found a list"),
        ("just text", "found the value 'just text'"),
        (b"\xff\xfe\x00\x01", "is not text (UTF-8)"),
        (b"a: \x00", "control characters are not allowed"),
    ],
)
def test_malformed_files_give_one_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path, "arch.yaml", text)
    with pytest.raises(ConfigError) as error:
        read_yaml(path)
    (only,) = error.value.problems
    assert message in only
    assert only.startswith(str(path))
    assert "\n" not in only


def test_missing_file_folder_and_giant(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        read_yaml(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "a\0b")
    giant = write(tmp_path, "giant.yaml", b"#" * (5 * 2**20))
    with pytest.raises(ConfigError, match="too many"):
        read_yaml(giant)


def test_base_is_relative_to_its_file_and_merged_deeply(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, "root.yaml", "a: {x: 1, y: [1, 2]}\nb: 1\nd: 4")
    write(tmp_path, "middle.yaml", "base: root.yaml\na: {y: [3]}\nc: {z: 1}\nd: null")
    top = write(tmp_path / "sub", "top.yaml", "base: ../middle.yaml\na: {x: 5}\nc: 7")
    assert read_yaml(top) == {"a": {"x": 5, "y": [3]}, "b": 1, "c": 7, "d": None}


def test_another_kind_or_value_replaces_the_whole_mapping() -> None:
    base = {"converter": {"kind": "adc", "bits": 5}, "energy": {"value": "1 pJ", "note": "measured"}}
    assert merge(base, {"converter": {"kind": "sense_amplifier"}})["converter"] == {"kind": "sense_amplifier"}
    assert merge(base, {"converter": {"kind": "adc", "rows": 1}})["converter"] == {"kind": "adc", "bits": 5, "rows": 1}
    assert merge(base, {"converter": {"bits": 6}})["converter"] == {"kind": "adc", "bits": 6}
    assert merge(base, {"energy": {"value": "2 pJ"}})["energy"] == {"value": "2 pJ"}
    assert base["converter"] == {"kind": "adc", "bits": 5}  # untouched


def test_bases_that_go_round_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "base: b.yaml")
    write(tmp_path, "b.yaml", "base: ./a.yaml")
    with pytest.raises(
        ConfigError, match=r"^b.yaml: base: the files are based on each other: a.yaml -> b.yaml -> a.yaml$"
    ):
        read_yaml(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match=r"c.yaml: no such file"):
        read_yaml(write(tmp_path, "d.yaml", "base: c.yaml"))
    with pytest.raises(ConfigError, match="base: expected the name of a file"):
        read_yaml(write(tmp_path, "e.yaml", "base: [c.yaml]"))


def test_override_sets_values_by_path() -> None:
    data = {"a": {"b": 1, "c": [1, {"d": 2}]}}
    settings = ["a.b=0.41 pJ", "a.c.1.d=[1, 2]", "x.y=1e-3", "z={kind: adc}", "empty=", "eq=a=b"]
    assert override(data, settings) == {
        "a": {"b": "0.41 pJ", "c": [1, {"d": [1, 2]}]},
        "x": {"y": 1e-3},
        "z": {"kind": "adc"},
        "empty": None,
        "eq": "a=b",
    }
    assert data == {"a": {"b": 1, "c": [1, {"d": 2}]}}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("a.b", "expected path.to.key=value"),
        ("=5", "expected path.to.key=value"),
        ("a..b=5", "expected path.to.key=value"),
        ("a.b.c=5", "'c' does not lead into the value 1"),
        ("l.2=5", "'2' does not lead into a list of 2 items"),
        ("l.x=5", "'x' does not lead into a list"),
        ("a.b=[1", "--set a.b=[1: line"),
    ],
)
def test_override_refuses(setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        override({"a": {"b": 1}, "l": [1, 2]}, [setting])
    assert message in str(error.value)


def test_load_joins_file_base_overrides_and_validation(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", json.dumps(GOOD))
    path = write(tmp_path, "chip.yaml", "base: base.yaml\nsupply: 0.8 V")
    chip = load(Chip, path, ["grid=[4, 4]", "converter.bits=7"])
    assert (chip.supply, chip.grid, chip.converter) == (0.8, (4, 4), Adc(kind="adc", bits=7, energy="0.406 pJ"))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"chip.yaml: converter.bitz: unknown key; did you mean 'bits'"):
        load(Chip, path, ["converter.bitz=7"])


def test_configuration_loads_no_heavy_library() -> None:
    code = (
        "import sys, archsim.config; print(sorted({'torch', 'numba', 'pandas', 'numpy', 'simpy'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
