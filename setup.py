# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Puts the SBOM into the wheel, where PEP 770 wants it: .dist-info/sboms. All else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


class WithSbom(bdist_wheel):
    """The usual wheel; setuptools has no setting for SBOMs yet."""

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        """Make .dist-info of .egg-info, as every wheel and every editable installation does."""
        super().egg2dist(egginfo_path, distinfo_path)
        folder = Path(distinfo_path, "sboms")
        folder.mkdir()
        shutil.copy(Path(__file__).with_name("supply") / "sbom.cdx.json", folder / "kdp-edge.cdx.json")


setup(cmdclass={"bdist_wheel": WithSbom})
