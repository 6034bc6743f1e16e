"""What `archsim map` says of the methods: copies, random numbers, maps that wait."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from archsim.mapping.plan import map_trace
from archsim.report.plan import mapping_data, mapping_tables, trace_tables
from tests.networks import METHODS, make_chip, method_lenet5

BITS = {
    "deterministic": 0,
    "spindrop": 864 + 256 + 120 + 84,
    "spatial": 6 + 16 + 120 + 84,
    "scale": 5,
    "affine": 4 * 2,
    "subset": 16 * (6 + 16 + 120 + 84 + 10),
    "spinbayes": 5 * 3,
}


def text_of(tables) -> str:
    console = Console(file=io.StringIO(), width=160)
    for table in tables:
        console.print(table)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def chip():
    return make_chip(base="neuspin_sot.yaml")


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("spinbayes", ["8 copies x 4", "32 modules of the crossbar", "arrays, 1 of 8 copies"]),
        ("scale", ["digital units, 1 of probability 0.1"]),
        ("affine", ["digital units, 1 of probability 0.3, 1 of probability 0.3", "output buffers wait for statistics"]),
        ("subset", ["digital units, 120 Gaussians", "1 920"]),
        ("spatial", ["arrays, 6 of probability 0.25"]),
    ],
)
def test_people_are_told(chip, method, words):
    text = text_of(mapping_tables(map_trace(method_lenet5(method), chip)))
    assert all(w in text for w in words), text


def test_a_network_without_chance_draws_nothing(chip):
    assert "Random numbers" not in text_of(mapping_tables(map_trace(method_lenet5("deterministic"), chip)))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_as_data(chip, method):
    mapping = map_trace(method_lenet5(method), chip)
    data = mapping_data(mapping)
    assert json.loads(json.dumps(data)) == data
    (layers,) = data["rounds"]
    for row, placed in zip(layers, mapping.placed(), strict=True):
        assert row["crossbars"] == row["crossbars_per_copy"] * row["copies"]
        assert row["held_bits"] == placed.held_bits
        assert set(row["random_bits_per_pass"]) == {n.name for n in placed.stage.stochastic}
    assert sum(n for row in layers for n in row["random_bits_per_pass"].values()) == BITS[method]


def test_a_trace_tells_its_copies():
    text = text_of(trace_tables(method_lenet5("spinbayes")))
    assert "8 x 120 x 256, 2 bit" in text
    assert "707 kbit" in text
