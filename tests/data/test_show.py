# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`data show`: what it says of the MuJoCo that rolled the data."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from kdp_edge.cli import app
from kdp_edge.data import store
from kdp_edge.data.importing import Source, import_set

HERE, OLDER = version("mujoco"), "2.3.7"
NOTE = f"recorded with MuJoCo {OLDER}, this is {HERE}: its physics may differ"


def show(*options: str) -> str:
    said = CliRunner().invoke(app, ["data", "show", "some", "--no-plot", *options])
    assert said.exit_code == 0, said.output
    return said.stdout


@pytest.mark.parametrize(
    ("origin", "made", "noted"),
    [
        ("local twin", OLDER, True),
        ("local twin", HERE, False),
        ("local twin", None, False),  # nobody kept it
        ("imported", OLDER, False),  # what was installed at the import did not record them
    ],
)
def test_data_that_another_mujoco_rolled_say_so(
    home: Path, origin: str, made: str | None, noted: bool
) -> None:
    rng, file = np.random.default_rng(0), home / "hopper.hdf5"
    with h5py.File(file, "w") as written:
        written["observations"], written["rewards"] = rng.normal(size=(60, 11)), rng.normal(size=60)
        written["actions"], written["terminals"] = rng.uniform(-1, 1, (60, 3)), np.zeros(60, bool)
        written["timeouts"] = np.arange(60) % 30 == 29
    import_set(Source(str(file), task="hopper-medium"), "some")
    record = store.dataset_path("some") / "kdp.json"
    meta = json.loads(record.read_text()) | {"origin": origin}
    meta["packages"] |= {"mujoco": made}
    record.write_text(json.dumps(meta))
    assert (f"note: {NOTE}" in show()) == noted
    assert (NOTE in json.loads(show("--json"))["notes"]) == noted
