"""Every study in the repository: read, checked against the chip and the network, and its schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from archsim.config import json_schema, read_yaml
from archsim.study import StudyConfig, design_points, load_study_file
from archsim.study.checks import check_study

FOLDER = Path(__file__).parents[2] / "studies"
SCHEMA = FOLDER / "schema" / "study.schema.json"
STUDIES = sorted(FOLDER.glob("*.yaml"))
FOR_SENSITIVITY = ("one_at_a_time", "saltelli")  # whose axes are the ranges of the library

# points of each study; a change here is a change of what docs/studies says
POINTS = {
    "crossbar_adc": 300,
    "digits": 24,
    "dropout_modules": 384,
    "imperfect_chips": 234,
    "method_chip": 70,
    "passes": 28,
}


def test_the_schema_is_that_of_the_code():
    """Rewrite it with: archsim schema study > studies/schema/study.schema.json."""
    assert json.loads(SCHEMA.read_text()) == json_schema(StudyConfig)


@pytest.mark.parametrize("file", STUDIES, ids=lambda p: p.stem)
def test_a_study_is_sound(file):
    config = load_study_file(file)
    assert config.name == file.stem
    assert config.description
    assert config.objectives
    check_study(config, str(file))
    if config.search is None and config.sampling.kind not in FOR_SENSITIVITY:
        assert sum(1 for _ in design_points(config, str(file))) == POINTS[file.stem]


@pytest.mark.parametrize("file", STUDIES, ids=lambda p: p.stem)
def test_a_study_fits_its_schema(file):
    assert file.read_text().startswith("# yaml-language-server: $schema=schema/study.schema.json\n")
    jsonschema.validate(read_yaml(file), json.loads(SCHEMA.read_text()))
