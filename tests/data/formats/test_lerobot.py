# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""LeRobotDataset: what lerobot itself wrote is read exactly; what its users trip over is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.data import store
from kdp_edge.data.formats.found import Choice
from kdp_edge.data.importing import OwnRobot, Source, import_set
from kdp_edge.tasks import get_task

from .writers import WRITERS, lerobot, walks

HERE = Path(__file__).parent
RANGE = OwnRobot(safe=("hold",), act_low=-3.0, act_high=3.0)
JOINTS = ("shoulder_pan.pos", "elbow_flex.pos", "gripper.pos")


@pytest.mark.parametrize(("name", "version", "lengths"), [
    ("lerobot_v3", "v3.0", [12, 13, 14, 15]), ("lerobot_v21", "v2.1", [12, 13, 14]),
])  # fmt: skip
def test_what_lerobot_wrote_is_read_exactly(name: str, version: str, lengths: list[int]) -> None:
    made = import_set(Source(str(HERE / name)), "arm", RANGE)
    data = store.load_data("arm")
    rows = parquet.ParquetDataset(sorted(HERE.glob(f"{name}/data/*/*.parquet"))).read().to_pydict()
    kept = np.diff(rows["episode_index"], append=-1) == 0
    state = np.concatenate([rows["observation.state"], rows["observation.environment_state"]], 1)
    np.testing.assert_array_equal(data.observations, state.astype(np.float32)[kept])
    np.testing.assert_allclose(data.actions * 3, np.array(rows["action"])[kept], atol=1e-6)
    np.testing.assert_array_equal(data.rewards, np.float32(rows["next.reward"])[kept])
    assert np.diff(np.flatnonzero(data.ends), prepend=-1).tolist() == [length - 1 for length in lengths]
    assert made.meta["read_as"] == f"LeRobotDataset {version}, {len(lengths)} episodes, 30 Hz"
    task = get_task("arm")
    assert task.obs_names == (*JOINTS, "x", "y") and task.act_names == JOINTS and task.rate_hz == 30


def test_images_are_left_out_with_a_note() -> None:
    made = import_set(Source(str(HERE / "lerobot_v3")), "arm", RANGE)
    assert "not read: next.done, observation.images.top" in made.meta["notes"]


def test_without_a_reward_feature_episodes_are_demonstrations(home: Path) -> None:
    folder = WRITERS["lerobot"](home, walks())
    edit_info(folder, lambda info: info["features"].pop("next.reward"))
    made = import_set(Source(str(folder)), "arm", OwnRobot(safe=("hold",)))
    assert made.meta["has_rewards"] is False and not store.load_data("arm").rewards.any()


def edit_info(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = folder / "meta" / "info.json"
    info = json.loads(file.read_text())
    change(info)
    file.write_text(json.dumps(info))


def edit_rows(folder: Path, file: int, change: Callable[[dict[str, Any]], Any]) -> None:
    path = sorted(folder.glob("data/*/*.parquet"))[file]
    rows = dict(zip((table := parquet.read_table(path)).column_names, table.columns, strict=True))
    change(rows)
    parquet.write_table(pyarrow.table(rows), path)


def swapped_files(folder: Path) -> None:
    """What a roll-over from chunk to chunk or from file-999 to file-1000 does when names sort as text."""
    files = sorted(folder.glob("data/*/*.parquet"))
    files[0].rename(folder / "kept")
    files[1].rename(files[0])
    (folder / "kept").rename(files[1])


def lost_file(folder: Path) -> None:
    sorted(folder.glob("data/*/*.parquet"))[1].unlink()


def lost_last_file(folder: Path) -> None:
    sorted(folder.glob("data/*/*.parquet"))[-1].unlink()


def shifted_time(folder: Path) -> None:
    def later(rows: dict[str, Any]) -> None:
        times = rows["timestamp"].to_numpy().copy()
        times[7:20] += 0.4
        rows["timestamp"] = times

    edit_rows(folder, 0, later)


def lost_frame(folder: Path) -> None:
    edit_rows(
        folder, 0, lambda rows: rows.update({k: rows[k].take([*range(5), *range(6, 40)]) for k in rows})
    )


def other_rate(folder: Path) -> None:
    edit_info(folder, lambda info: info.update(fps=50))


def lost_column(folder: Path) -> None:
    edit_rows(folder, 1, lambda rows: rows.pop("action"))


def mixed_shapes(folder: Path) -> None:
    edit_rows(folder, 1, lambda rows: rows.update(action=[[0.1] * (2 + (row == 3)) for row in range(40)]))


def narrow(folder: Path) -> None:
    edit_rows(folder, 1, lambda rows: rows.update(action=[[0.1]] * 40))


def text(folder: Path) -> None:
    edit_rows(folder, 1, lambda rows: rows.update(action=[["a", "b"]] * 40))


def empty_rows(folder: Path) -> None:
    edit_rows(folder, 1, lambda rows: rows.update(action=[None, *[[0.1, 0.1]] * 39]))


def not_a_number(folder: Path) -> None:
    edit_rows(folder, 1, lambda rows: rows.update({"observation.state": [[np.nan] * 3] * 40}))


def old_version(folder: Path) -> None:
    edit_info(folder, lambda info: info.update(codebase_version="v1.6"))


def no_features(folder: Path) -> None:
    edit_info(folder, lambda info: info.update(features=[]))


def huge_shape(folder: Path) -> None:
    edit_info(folder, lambda info: info["features"]["action"].update(shape=[10**12]))


def shapeless(folder: Path) -> None:
    edit_info(folder, lambda info: info["features"].update(action="float32"))


def strange_fps(folder: Path) -> None:
    edit_info(folder, lambda info: info.update(fps="fast"))


def no_data(folder: Path) -> None:
    shutil.rmtree(folder / "data")


def damaged_file(folder: Path) -> None:
    file = sorted(folder.glob("data/*/*.parquet"))[1]
    file.write_bytes(file.read_bytes()[:-200])


def no_json(folder: Path) -> None:
    (folder / "meta" / "info.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "messages"),
    [
        (swapped_files, ["file-000.parquet row 0: the first episode is 2, expected 0"]),
        (lost_file, ["file-002.parquet row 0: episode 4 follows episode 1: episodes are missing"]),
        (lost_last_file, ["info.json: total_episodes is 6, the files in data/ hold 4"]),
        (shifted_time, ["row 7: 'timestamp' jumps from 0.3", "steps are 0.05 elsewhere (1 such jumps)"]),
        (lost_frame, ["row 5: field 'frame_index' is 6 follows 4, expected 5: frames are out of order"]),
        (other_rate, ["'timestamp' steps by 0.05, which is 20 Hz", "said to be 50 Hz"]),
        (
            lost_column,
            ["file-001.parquet: column 'action' is missing (there: observation.state, next.reward"],
        ),
        (mixed_shapes, ["file-001.parquet: column 'action': row 3 holds 3 numbers, the rows before it 2"]),
        (narrow, ["file-001.parquet: column 'action': rows of 1 numbers, expected shape [2]"]),
        (text, ["file-001.parquet: column 'action': holds string, expected numbers"]),
        (empty_rows, ["file-001.parquet: column 'action': 1 rows hold nothing, expected [2]"]),
        (not_a_number, ["field 'observations' holds NaN or infinity in 40 rows, the first is row 40"]),
        (old_version, ["codebase_version is 'v1.6', expected v2.0, v2.1 or v3.x"]),
        (no_features, ["field 'features' is missing or no object"]),
        (huge_shape, ["feature 'action' has no shape and dtype"]),
        (shapeless, ["feature 'action' has no shape and dtype"]),
        (strange_fps, ["fps is 'fast', expected frames a second"]),
        (no_data, ["no file data/chunk-*/*.parquet; fetch the whole set, not its meta folder only"]),
        (damaged_file, ["file-001.parquet: not a readable Parquet file"]),
        (no_json, ["info.json: not valid JSON"]),
    ],
)
def test_a_set_that_is_not_whole_is_refused_by_name(
    home: Path, damage: Callable[[Path], None], messages: list[str]
) -> None:
    folder = WRITERS["lerobot"](home, walks())
    damage(folder)
    with pytest.raises(KdpError) as refused:
        import_set(Source(str(folder)), "arm", OwnRobot(safe=("hold",)))
    for message in messages:
        assert message in str(refused.value)
    assert str(folder) in str(refused.value) and "\n" not in str(refused.value)
    assert not store.exists("arm")


def test_files_go_on_from_999_to_1000_and_from_chunk_to_chunk(home: Path) -> None:
    folder = lerobot(home, walks())
    first, second, third = sorted(folder.glob("data/*/*.parquet"))
    first.rename(first.with_name("file-999.parquet"))
    second.rename(second.with_name("file-1000.parquet"))
    (folder / "data" / "chunk-001").mkdir()
    third.rename(folder / "data" / "chunk-001" / "file-000.parquet")
    import_set(Source(str(folder)), "arm", OwnRobot(safe=("hold",)))
    import_set(Source(str(lerobot(home, walks(), "v2.1"))), "other", OwnRobot(safe=("hold",)))
    np.testing.assert_array_equal(store.load_data("arm").observations, store.load_data("other").observations)


def test_a_list_of_episodes_that_says_another_length_is_refused(home: Path) -> None:
    for name in ("lerobot_v3", "lerobot_v21"):
        shutil.copytree(HERE / name, home / name)
    file = home / "lerobot_v3" / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    rows = parquet.read_table(file).to_pydict()
    rows["length"][2] += 1
    parquet.write_table(pyarrow.table(rows), file)
    lines = (home / "lerobot_v21" / "meta" / "episodes.jsonl").read_text().replace("13", "12")
    (home / "lerobot_v21" / "meta" / "episodes.jsonl").write_text(lines)
    for name, episode in (("lerobot_v3", 2), ("lerobot_v21", 1)):
        with pytest.raises(KdpError, match=f"episode {episode} has 1. rows, meta/episodes says 1"):
            import_set(Source(str(home / name)), "arm", RANGE)
    (home / "lerobot_v21" / "meta" / "episodes.jsonl").write_text("[" * 100_000)
    with pytest.raises(KdpError, match=r"episodes.jsonl: no list of episodes"):
        import_set(Source(str(home / "lerobot_v21")), "arm", RANGE)


def test_options_that_the_layout_answers_itself_are_refused(home: Path) -> None:
    folder = WRITERS["lerobot"](home, walks())
    with pytest.raises(KdpError, match="--time timestamp: a LeRobotDataset says it itself"):
        import_set(Source(str(folder), choice=Choice(time="timestamp")), "arm", OwnRobot(safe=("hold",)))


def test_several_tasks_told_apart_by_text_are_noted(home: Path) -> None:
    folder = WRITERS["lerobot"](home, walks())
    edit_info(folder, lambda info: info.update(total_tasks=3))
    assert "3 tasks, told apart by their text only" in "\n".join(
        import_set(Source(str(folder)), "arm", OwnRobot(safe=("hold",))).meta["notes"]
    )


def test_paths_in_info_json_lead_nowhere(home: Path) -> None:
    folder = WRITERS["lerobot"](home, walks())
    edit_info(folder, lambda info: info.update(data_path="../../../../etc/passwd"))
    import_set(Source(str(folder)), "arm", OwnRobot(safe=("hold",)))
