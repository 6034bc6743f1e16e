"""The store of a study: what is kept, what counts, what is refused."""

from __future__ import annotations

import pytest

from archsim.errors import ConfigError
from archsim.study.counts import Counts
from archsim.study.tables import read_study
from tests.stores import STUDY, answers, opened, outcome, pairs, point, same, task


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


# --- what is kept ---


def test_outcomes_come_back_as_they_were(folder):
    with opened(folder) as store:
        store.plan(pairs(7))
        store.commit([outcome(n) for n in (6, 4, 1)])
        assert store.waiting() == [0, 2, 3, 5]
    with opened(folder) as store:
        found = store.outcomes(range(7))
        assert [*found] == [1, 4, 6]
        assert all(same(found[n], outcome(n)) and found[n].number == n for n in found)
        assert [(f.number, f.error, f.trace) for f in store.failures()] == [(4, "point 4 cannot be", "Traceback")]


def test_what_repeats_is_kept_once(folder):
    with opened(folder) as store:
        store.plan(pairs(300))
        store.commit(outcome(n) for n in range(300))
        counts = [store._connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("layouts", "texts")]
    assert counts == [4, 3]  # two sets of figures, no figures, the axes; two sets of texts, no texts


def test_counts(folder):
    with opened(folder) as store:
        store.plan(pairs(20))
        store.commit(outcome(n) for n in range(10))
        store.claim([12, 13])
        assert store.counts() == Counts(points=20, done=10, failed=2, running=2, functions=3, shared=5)
    assert read_study(folder).counts == Counts(points=20, done=10, failed=2, running=0, functions=3, shared=5)


def test_a_plan_that_breaks_leaves_nothing(folder):
    def broken():
        yield from pairs(3)
        raise ConfigError("point 3 is wrong")

    with opened(folder) as store:
        with pytest.raises(ConfigError, match="point 3"):
            store.plan(broken())
        assert store.counts().points == 0
        store.plan(pairs(4))
        assert store.counts().points == 4


def test_a_commit_that_breaks_leaves_nothing(folder):
    def broken():
        yield outcome(1)
        raise KeyboardInterrupt

    with opened(folder) as store:
        store.plan(pairs(4))
        with pytest.raises(KeyboardInterrupt):
            store.commit(broken())
        assert store.waiting() == [0, 1, 2, 3]
        store.commit([outcome(1), outcome(0)])  # names that the broken one had given ids
        assert all(same(found, outcome(n)) for n, found in store.outcomes([0, 1]).items())


def test_the_first_outcome_counts_unless_it_failed(folder):
    with opened(folder) as store:
        store.plan(pairs(6))
        store.commit([outcome(4), outcome(1)])
        store.commit([outcome(3, "key4"), outcome(3, "key1")])
        found = store.outcomes([1, 4])
        assert same(found[1], outcome(1))
        assert same(found[4], outcome(3, "key4"))
        store.commit([outcome(4)])
        assert same(store.outcomes([4])[4], outcome(3, "key4"))


def test_failures_run_again_when_dropped(folder):
    with opened(folder) as store:
        store.plan(pairs(10))
        store.commit(outcome(n) for n in range(10))
        assert store.drop_failures() == 2
        assert store.waiting() == [4, 9]


def test_functions_are_kept(folder):
    with opened(folder) as store:
        assert store.claim_function("f") is True
        assert store.claim_function("f") is True  # still ours
        store.put_function("f", answers())
        store.plan(pairs(3))
        store.set_functions([(0, "f"), (2, "f")])
    with opened(folder) as store:
        assert repr(store.claim_function("f")) == repr(answers())
        assert store.functions([0, 1, 2, 9]) == {0: "f", 2: "f"}


# --- numbers and keys ---


def test_points_of_one_key_share_an_outcome_and_run_once(folder):
    with opened(folder) as store:
        store.plan((task(n, f"key{n // 2}"), point(n)) for n in range(6))
        assert store.claim(range(6)) == [0, 2, 4]
        assert store.claim([1, 3, 5]) == []
        store.commit([outcome(2, "key1")])
        assert store.waiting() == [0, 1, 4, 5]
        assert same(store.outcomes([3])[3], outcome(2, "key1"))


def test_claims_keep_the_order_that_was_asked_for(folder):
    with opened(folder) as store:
        store.plan(pairs(5))
        store.commit([outcome(3)])
        assert store.claim([4, 3, 0, 4, 99]) == [4, 0]
        assert store.claim([0, 4]) == [0, 4]  # still ours


def test_two_stores_on_one_file_never_claim_the_same(folder):
    with opened(folder) as one, opened(folder) as two:
        one.plan(pairs(6))
        two.plan(pairs(6))
        assert one.claim([0, 1, 2]) == [0, 1, 2]
        assert two.claim([1, 2, 3]) == [3]
        assert one.claim_function("f") is True
        assert two.claim_function("f") is False
        one.release()
        assert two.claim([1, 2]) == [1, 2]
        assert two.claim_function("f") is True
        two.commit([outcome(1)])
        assert one.claim([1]) == []
        two.close()
        assert one.claim([2, 3]) == [2, 3]


def test_a_point_of_another_key_is_planned_anew(folder):
    with opened(folder) as store:
        store.plan(pairs(3))
        store.commit([outcome(n) for n in range(3)])
        store.set_functions([(0, "f"), (1, "f")])
        store.plan([(task(1, "edited"), point(1)), (task(2), point(2))])
        assert store.waiting() == [1]
        assert store.functions([0, 1]) == {0: "f"}


# --- the study changes ---


def test_a_changed_study_is_refused_unless_it_is_to_be_resumed(folder):
    changed = {**STUDY, "axes": {**STUDY["axes"], "crossbar.rows": [64, 512]}, "passes": 3}
    with opened(folder) as store:
        store.plan(pairs(6))
        store.commit(outcome(n) for n in range(6))
    with pytest.raises(ConfigError) as error:
        opened(folder, study=changed)
    said = str(error.value)
    assert "axes.crossbar.rows: [64, 128, 256] is now [64, 512]; passes: absent is now 3" in said
    assert "--resume" in said
    with opened(folder) as store:  # nothing has changed yet
        assert store.waiting() == []
    with opened(folder, study=changed, resume=True) as store:
        assert store.counts().points == 0
        store.plan((task(n, f"key{n * 2}"), point(n)) for n in range(4))
        assert store.waiting() == [3]
        assert same(store.outcomes([2])[2], outcome(4))
    with pytest.raises(ConfigError, match=r"axes\.crossbar\.rows"):
        opened(folder)


def test_the_order_of_axes_is_part_of_a_study(folder):
    turned = {**STUDY, "axes": dict(reversed(STUDY["axes"].items()))}
    with opened(folder) as store:
        store.commit([outcome(0)])
    with pytest.raises(ConfigError, match="the order of its keys"):
        opened(folder, study=turned)


def test_a_study_without_results_may_change(folder):
    with opened(folder) as store:
        store.plan(pairs(6))
    with opened(folder, study={**STUDY, "passes": 3}) as store:
        assert store.counts().points == 0


def test_a_study_does_not_change_under_those_who_run_it(folder):
    with opened(folder) as store:
        store.commit([outcome(0)])
        with pytest.raises(ConfigError, match="another process is running"):
            opened(folder, study={**STUDY, "passes": 3}, resume=True)
        store.plan(pairs(2))
        assert store.waiting() == [1]


def test_nothing_to_resume(folder):
    with pytest.raises(ConfigError, match="nothing to resume"):
        opened(folder, resume=True)
    assert not folder.exists()


# --- shards ---


def test_shards_share_outcomes_and_functions(folder):
    with opened(folder, "shard-1-of-2") as one:
        one.plan((task(n, f"key{n // 4}"), point(n)) for n in range(0, 12, 2))
        one.commit([outcome(0, "key0"), outcome(4, "key1"), outcome(8, "key2")])
        one.put_function("f", answers())
        assert one.claim_function("g") is True
        with opened(folder, "shard-2-of-2") as two:
            two.plan((task(n, f"key{n // 4}"), point(n)) for n in range(1, 12, 2))
            assert two.waiting() == [5, 7]  # an error is no outcome to be taken over
            assert same(two.outcomes([9])[9], outcome(8, "key2"))
            assert repr(two.claim_function("f")) == repr(answers())
            assert two.claim_function("g") is False
            one.put_function("g", answers(1))
            assert repr(two.claim_function("g")) == repr(answers(1))
    (folder / "shard-1-of-2.sqlite").unlink()
    with opened(folder, "shard-2-of-2") as two:
        assert repr(two.claim_function("g")) == repr(answers(1))


def test_a_sibling_of_another_study_is_refused_but_useful(folder):
    changed = {**STUDY, "passes": 3}
    with opened(folder, "shard-1-of-2") as one:
        one.plan(pairs(3))
        one.commit([outcome(0)])
    with pytest.raises(ConfigError, match=r"shard-1-of-2.*passes: absent is now 3"):
        opened(folder, study=changed)
    with opened(folder, study=changed, resume=True) as store:
        store.plan(pairs(3))
        assert store.waiting() == [1, 2]
    assert read_study(folder).counts.points == 3


def test_shards_keep_no_write_ahead_log_and_wait_for_the_disk(folder):
    with opened(folder, "shard-1-of-2") as shard, opened(folder) as whole:
        modes = [
            [s._connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("journal_mode", "synchronous")]
            for s in (shard, whole)
        ]
    full, normal = 2, 1
    assert modes == [["truncate", full], ["wal", normal]]
