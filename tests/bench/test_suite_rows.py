# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What is made of a suite's records: intervals over seeds, paired differences, tables, bars."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.bench.records import Record, Results, key_of, read_results, write_results
from kdp_edge.bench.suite import Suite
from kdp_edge.bench.suite_bars import HAND_TURNED, bars_of
from kdp_edge.bench.suite_cells import difference, score
from kdp_edge.bench.suite_rows import Measured, rows
from kdp_edge.bench.suite_table import put_section, render, write_pages
from kdp_edge.bench.suite_verdicts import against_rivals, of_integers, of_ranking

UMAZE, HOPPER = "maze2d-umaze", "hopper-medium"
T_OF_2, T_OF_3 = 4.302652729911275, 3.182446305284263  # Student's t, 0.975, of so many degrees of freedom
SUITE = Suite("one", (UMAZE, HOPPER), (3, 4, 5, 6), fresh=True, episodes=3)
SCORES = {3: [100.0, 104.0, 96.0], 4: [90.0, 92.0, 97.0], 5: [110.0, 108.0, 103.0], 6: [99.0, 99.0, 99.0]}


def record(
    seed: int,
    scores: list[float],
    planner: str = "kdp",
    plant: str = "nominal",
    task: str = UMAZE,
    **more: Any,
) -> Record:
    made = {
        "task": task, "seed": seed, "planner": planner, "plant": plant, "scores": scores, "k": 8,
        "margin": 0.3, "switched": 0.1, "data": {"name": f"{task}-fresh{seed}", "sha256": "d" * 64,
        "origin": "local twin"}, "behaviour_score": 40.0, "spread_ratio": 0.9,
        "trained": {"git": "abc", "machine": "x86_64, 2 cores", "precision": "float32", "wall_s": 200.0},
        "scored": {"git": "def", "machine": "x86_64, 16 cores", "packages": {}, "wall_s": 3.0},
    }  # fmt: skip
    return made | more


def results(*records: Record) -> Results:
    return Results({key_of(one): one for one in records}, {})


def shifted(by: float, planner: str, seeds: tuple[int, ...] = (3, 4, 5, 6), **more: Any) -> list[Record]:
    """KDP's scores, each lower by `by` and the seed's number."""
    return [record(seed, [score - by - seed for score in SCORES[seed]], planner, **more) for seed in seeds]


OWN = [record(seed, scores) for seed, scores in SCORES.items()]


def test_the_interval_is_students_over_the_seeds_means() -> None:
    found = Measured(results(*OWN).records).score(UMAZE, "kdp")
    means = [statistics.mean(scores) for scores in SCORES.values()]
    half = T_OF_3 * statistics.stdev(means) / len(means) ** 0.5
    assert found is not None and found.interval is not None
    assert found.mean == pytest.approx(statistics.mean(means))
    assert found.interval == pytest.approx((found.mean - half, found.mean + half))
    pooled = [score for scores in SCORES.values() for score in scores]
    narrow = 2.2009851600829492 * statistics.stdev(pooled) / len(pooled) ** 0.5
    assert half > narrow, "episodes of one net say nothing of the next net"


@pytest.mark.parametrize(("count", "cell"), [(1, "100.0"), (2, "96.5 [93.0 to 100.0]")])
def test_fewer_than_three_seeds_have_a_range_and_no_interval(count: int, cell: str) -> None:
    found = Measured(results(*OWN[:count]).records).score(UMAZE, "kdp")
    assert found is not None and found.interval is None and score(found) == cell
    three = Measured(results(*OWN[:3]).records).score(UMAZE, "kdp")
    assert three is not None and three.interval is not None


def test_differences_are_paired_by_seed_and_episode() -> None:
    found = Measured(results(*OWN, *shifted(2, "clone", (4, 5, 6)), record(9, [0.0] * 3, "clone")).records)
    less = found.less(UMAZE, ("kdp", "nominal"), ("clone", "nominal"))
    assert less is not None and less.seeds == (4, 5, 6) and less.mean == pytest.approx(7)
    half = T_OF_2 * statistics.stdev([6, 7, 8]) / 3**0.5
    assert less.interval == pytest.approx((7 - half, 7 + half))
    assert difference(less) == f"+7.0 ({7 - half:+.1f} to {7 + half:+.1f})"
    ahead = next(row for row in rows(results(*OWN, *shifted(2, "clone"))) if row["planner"] == "clone")
    assert ahead["kdp_ahead_mean"] == pytest.approx(6.5) and ahead["kdp_ahead_range"] == [5, 8]


def test_the_best_rival_is_the_best_of_all_settings_but_none_of_ours() -> None:
    rivals = [*shifted(3, "diffusion-20"), *shifted(1, "diffusion-5"), *shifted(2, "fql")]
    ours = [*shifted(-50, "kdp-ranked"), *shifted(-50, "behaviour"), *shifted(-50, "int8")]
    found = Measured(results(*OWN, *rivals, *ours).records)
    assert found.best_rival(UMAZE) == "diffusion-5" and found.best_rival(HOPPER) is None
    assert found.planners == ["kdp", "kdp-ranked", "int8", "behaviour", "diffusion-20", "diffusion-5", "fql"]


def test_what_ranking_is_worth_is_measured_with_what_is_deployed_or_given_back() -> None:
    plan, ranked = shifted(0.5, "kdp-plan", k=1), shifted(0.25, "kdp-ranked")
    many = Measured(results(*OWN, *plan, *ranked).records)
    one = Measured(results(*(r | {"k": 1} for r in OWN), *plan, *ranked).records)
    assert many.gives_back(UMAZE) == many.less(UMAZE, ("kdp", "nominal"), ("kdp-plan", "nominal"))
    gain = one.gives_back(UMAZE)
    assert gain is not None and gain.mean == pytest.approx(0.25)


def test_a_perturbed_row_says_what_is_lost_to_nominal() -> None:
    late = [*shifted(-4, "kdp", plant="late-half"), *shifted(0, "behaviour", plant="late-half")]
    every = results(
        *OWN, *shifted(9, "behaviour"), *late, record(3, [], plant="mass+10", impossible="no model")
    )
    row = next(row for row in rows(every) if (row["planner"], row["plant"]) == ("kdp", "late-half"))
    assert row["change_mean"] == pytest.approx(-0.5) and row["change_range"] == [-2, 1]
    text = page(every)
    line = next(line for line in text.splitlines() if line.startswith(f"| {UMAZE} | late-half |"))
    assert " -2.0 |" in line and f"| {UMAZE} | mass+10" not in text
    assert f"Not to be had: mass+10 on {UMAZE} (no model)." in text
    assert "on every seed in 1 of 1 rows" in text and "policy does in 1 of 1" in text


def test_each_plant_has_its_own_best_rival_and_its_own_worth_of_ranking() -> None:
    """On the nominal plant one rival is best and ranking costs; half a step late another, and it pays."""
    nominal = [*OWN, *shifted(1, "iql"), *shifted(9, "clone"), *shifted(-20, "kdp-plan")]
    late = [one | {"plant": "late-half"} for one in OWN]
    late += shifted(30, "iql", plant="late-half") + shifted(-9, "clone", (4, 5, 6), plant="late-half")
    late += shifted(60, "kdp-plan", plant="late-half")
    found = Measured(results(*nominal, *late).records)
    assert (found.best_rival(UMAZE), found.best_rival(UMAZE, "late-half")) == ("iql", "clone")
    costs, pays = found.gives_back(UMAZE), found.gives_back(UMAZE, "late-half")
    assert costs is not None and pays is not None and costs.high < 0 < pays.low
    text = page(results(*nominal, *late))
    line = next(line for line in text.splitlines() if line.startswith(f"| {UMAZE} | late-half | 99"))
    assert ", cloning, seeds 4 5 6 | -4.0 (" in line and "IQL" not in line
    assert "Against the best rival there its mean is at or above in 0 of 1." in text
    rows_of = [line for line in text.splitlines() if line.startswith(f"| {UMAZE} | late-half |")]
    assert len(rows_of) == 4, "KDP on the plant, all rivals, KDP less them, and ranking"
    own, clone, iql = (found.worst(UMAZE, name) for name in ("kdp", "clone", "iql"))
    assert own is not None and clone is not None and iql is not None
    means = {seed: statistics.mean(scores) for seed, scores in SCORES.items()}
    assert own.mean == pytest.approx(statistics.mean(means.values()))
    assert clone.mean == pytest.approx(statistics.mean(means[s] - 9 - s for s in (4, 5, 6)))
    assert iql.mean == pytest.approx(statistics.mean(m - 30 - s for s, m in means.items()))
    assert "KDP keeps as much as the best rival on 1 of 1 tasks." in text
    lost = page(results(*nominal, *late, *(r | {"scores": [0.0] * 3} for r in late if r["planner"] == "kdp")))
    assert f"on 0 of 1 tasks; not on {UMAZE} (-" in lost
    ahead = found.less_worst(UMAZE, "clone")
    assert ahead is not None and ahead.seeds == (4, 5, 6) and ahead.mean == pytest.approx(14)
    assert rows_of[3].split(" | ")[4].startswith("+64.5 (")


def test_seeds_of_a_rival_are_told_where_they_are_fewer() -> None:
    all_seeds, one = shifted(9, "fql"), [r for r in shifted(9, "fql") if r["seed"] == 4]
    clones = [r for r in shifted(40, "clone") if r["seed"] in (4, 5)]
    assert ", seed" not in next(
        line for line in page(results(*OWN, *all_seeds)).splitlines() if "FQL" in line
    )
    line = next(
        line for line in page(results(*OWN, *one, *clones)).splitlines() if f"| {UMAZE} | 3 4" in line
    )
    assert "FQL, seed 4 |" in line and ", seeds 4 5 |" in line


def test_sentences_count_what_the_tables_show() -> None:
    weak = [record(seed, [score - 20 + seed for score in s], task=HOPPER) for seed, s in SCORES.items()]
    rivals = [*shifted(1, "fql"), *shifted(15, "fql", task=HOPPER)]
    plan = [*shifted(0, "kdp-plan", k=1), *shifted(12, "kdp-plan", task=HOPPER)]
    found = Measured(
        results(
            *OWN, *weak, *rivals, *plan, *shifted(-3, "int8", tuned=True), *shifted(18, "int8", task=HOPPER)
        ).records
    )
    # KDP on Hopper is at s - 20 + seed, so 2 seed - 5 above fql: 4 on average, with an interval of 4.1
    assert found.tasks == [HOPPER, UMAZE]
    (sentence,) = against_rivals(found)
    assert sentence.startswith("Against the best rival") and "on 2 of 2 tasks. " in sentence
    assert sentence.endswith("The interval over seeds does not reach below 0 on 1.")
    (sentence,) = of_integers(found)
    assert sentence.startswith("int8 is within 1 point of float on 0 of 2 tasks")
    assert "not on hopper-medium (-7.0), maze2d-umaze (-1.5). Plain integers lost" in sentence
    assert sentence.endswith(
        "maze2d-umaze seed 3, maze2d-umaze seed 4, maze2d-umaze seed 5, maze2d-umaze seed 6."
    )
    (sentence,) = of_ranking(found)
    assert sentence.startswith("Ranking pays, with the interval over seeds above 0, on 1 of 2 tasks")
    assert sentence.endswith("without that on hopper-medium (+1.0).")
    assert against_rivals(Measured({})) == of_integers(Measured({})) == of_ranking(Measured({})) == []


def page(found: Results, folder: Path = Path("/nonexistent")) -> str:
    return render(SUITE, found, bars_of(Measured(found.records), folder))


def test_bars_are_shares_of_the_hand_turned_rows(tmp_path: Path) -> None:
    hand = [
        {"task": UMAZE, "planner": "kdp", "score_mean": 98.0},
        {"task": UMAZE, "planner": "clone", "score_mean": 1.0},
        {"task": HOPPER, "planner": "kdp", "score_mean": 50.0},
        {"task": "door-cloned", "planner": "kdp", "score_mean": 100.0},
    ]
    (tmp_path / HAND_TURNED).write_text(json.dumps(hand))
    hopper = [record(3, [47.0, 49.0], task=HOPPER)]
    bars = bars_of(Measured(results(*OWN, *hopper).records), tmp_path)
    mean = statistics.mean(statistics.mean(scores) for scores in SCORES.values())
    assert bars.shares == pytest.approx({UMAZE: mean / 98, HOPPER: 0.96})
    assert bars.together == pytest.approx((mean + 48) / 148) and not bars.met
    text = " ".join(bars.lines())
    assert "1 of 2 twins are at 97% of their hand-turned row or above; below it: hopper-medium 96.0%" in text
    assert "1 of 3 not measured: door-cloned." in text
    whole = replace(bars, hand_turned={UMAZE: 98.0}, shares={UMAZE: mean / 98}, measured={UMAZE: mean})
    assert whole.met == (mean >= 98)
    assert bars_of(Measured({}), tmp_path / "none").lines() == []


def test_a_suites_section_is_replaced_not_repeated_and_others_stay(tmp_path: Path) -> None:
    docs, readme = tmp_path / "benchmarks.md", tmp_path / "README.md"
    readme.write_text("no table of a suite\n")
    put_section(docs, "# Page\n", "suite other", "other's text")
    found = results(*OWN)
    bars = bars_of(Measured(found.records), tmp_path)
    write_pages(SUITE, found, bars, docs, readme)
    first = docs.read_text()
    write_pages(SUITE, found, bars, docs, readme)
    assert docs.read_text() == first and first.count("## one") == 1 and "other's text" in first
    assert readme.read_text() == "no table of a suite\n"
    assert f"| {UMAZE} | 3 4 5 6 | - | 99.8 (" in first and "data seed 200 + seed" in first


def test_results_are_read_as_they_were_written_and_grow(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    assert read_results(file, SUITE) == Results()
    write_results(file, SUITE, results(*OWN[:2]))
    later = read_results(file, SUITE)
    newer = record(4, [1.0, 2.0, 3.0])
    later.add([newer, OWN[2]], {UMAZE: {"k": 8}})
    write_results(file, SUITE, later)
    again = read_results(file, SUITE)
    assert again.records == results(OWN[0], newer, OWN[2]).records and again.times == {UMAZE: {"k": 8}}
    lines = file.read_text().splitlines()
    assert sum('"planner": "kdp"' in line for line in lines) == 3, "a record a line"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected an object"),
        ("{}", "expected a suite's results"),
        ('{"format": 1, "records": [], "measures": {}}', "was started with episodes None, now 3"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(KdpError, match=message):
        read_results(tmp_path / "one.json", SUITE)


@pytest.mark.parametrize("change", [{"scores": "many"}, {"seed": "3"}, {"scores": [1, None]}, {"trained": 1}])
def test_a_damaged_record_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "one.json"
    write_results(file, SUITE, Results({key_of(OWN[0]): OWN[0] | change}))
    with pytest.raises(KdpError, match=r"one\.json: record 0: (scores|seed|trained)"):
        read_results(file, SUITE)
