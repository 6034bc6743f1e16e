"""What is written as YAML is read back as the very same data, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archsim.config import yaml_text
from archsim.config.yaml_file import load_text

TRICKY = [
    "1e-12", "no", "12:30", "0o17", "=", "~", "null", "1_000", ".inf", "0x1F", "2026-01-01", "on", "- a", "a: b", "#x",
    "", " a ", "1.", "+.5", "1.5 ms", "---", "...", "?", "\x85", "\u2028", "a\nb", "\ufeff", "\U0001f600",
]  # fmt: skip
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | st.sampled_from(TRICKY)
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
keys = text.filter(lambda key: key != "<<")
data = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(keys, deeper, max_size=4),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(keys, data, min_size=1, max_size=4))
@example({word: [word] for word in TRICKY})
@example({"long": "so many words " * 30, "nested": {"deep": {"er": -0.0}}})
def test_reading_undoes_writing(written):
    found = load_text(yaml_text(written), "text")
    assert found == written
    assert repr(found) == repr(written)  # 1 is not 1.0, and -0.0 is not 0.0


def test_equal_parts_are_written_out():
    part = {"a": [1]}
    assert "&" not in yaml_text({"x": part, "y": part})


def test_what_is_no_plain_data_is_refused():
    with pytest.raises(Exception, match="cannot represent"):
        yaml_text({"x": object()})
