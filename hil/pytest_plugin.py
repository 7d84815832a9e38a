# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""pytest's plugin: the fixture `kdp_device`, one test case for each `--kdp-device` (docs/testing.md).

pytest imports this file whenever it starts, whatever it tests: everything else of ours is imported when an
option asks for it or the fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kdp_edge.exporters.bundle import Bundle
    from kdp_edge.hil.under_test import DeviceUnderTest
    from kdp_edge.run import Run

DEFAULT = "reference"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    group = parser.getgroup("kdp-edge", "policies on devices (kdp-edge docs testing)")
    group.addoption(
        "--kdp-device",
        action="append",
        metavar="DEVICE",
        help="device of the fixture kdp_device: reference (the default), native, qemu:stm32f405, "
        "serial:PORT[@BAUD] or agent:HOST:PORT; repeatable, a test case for each",
    )
    group.addoption(
        "--kdp-policy", metavar="FOLDER", help="run or bundle that the device plays; or a fixture kdp_policy"
    )


def pytest_configure(config: pytest.Config) -> None:
    """A wrong name ends pytest before the first test."""
    names = config.getoption("kdp_device")
    if names:
        from kdp_edge.base.errors import KdpError
        from kdp_edge.hil.devices import check

        try:
            for name in names:
                check(name)
        except KdpError as error:
            raise pytest.UsageError(f"--kdp-device: {error}") from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes the device, itself or through a fixture, is played on each."""
    if "kdp_device" in metafunc.fixturenames:
        names = dict.fromkeys(metafunc.config.getoption("kdp_device") or [DEFAULT])
        metafunc.parametrize("kdp_device", list(names), indirect=True)


@pytest.fixture(scope="session")
def kdp_policy(pytestconfig: pytest.Config) -> Path:
    """Folder of the run or bundle that devices play; a fixture of this name in a conftest.py replaces it."""
    folder = pytestconfig.getoption("kdp_policy")
    if folder is None:
        pytest.fail(
            "which policy? give --kdp-policy FOLDER, a run or a bundle, or write a session fixture "
            "kdp_policy that returns the folder",
            pytrace=False,
        )
    return Path(folder)


@pytest.fixture(scope="session")
def _kdp_source(kdp_policy: Path | str) -> Run | Bundle:
    """The policy, checked once."""
    from kdp_edge.base.errors import KdpError
    from kdp_edge.exporters.bundle import opened

    try:
        return opened(kdp_policy)
    except KdpError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def kdp_device(
    request: pytest.FixtureRequest, _kdp_source: Run | Bundle, tmp_path: Path, record_property: Any
) -> Iterator[DeviceUnderTest]:
    """The device that `--kdp-device` names, with the policy of `kdp_policy`: fresh for every test.

    A device that is missing is an error with one line, not a skipped test that nobody sees.
    """
    from kdp_edge.base.errors import KdpError
    from kdp_edge.hil.under_test import DeviceUnderTest

    record_property("kdp_device", request.param)
    try:
        device = DeviceUnderTest(request.param, _kdp_source, tmp_path)
    except KdpError as error:
        pytest.fail(f"{request.param}: {error}", pytrace=False)
    with closing(device):
        yield device
