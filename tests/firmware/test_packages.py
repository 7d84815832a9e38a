# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A firmware bundle builds where it lands: beside another policy, by CMake, as every package."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters import targets
from kdp_edge.exporters.build import compile_bundle
from kdp_edge.exporters.bundle import load_bundle
from kdp_edge.exporters.firmware import Form
from kdp_edge.exporters.packages import PACKAGES
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.wire.twin import Reply, Twin
from tests.firmware.test_compilers import M4, M55, WARNINGS

STUB = """#pragma once
#include <stdint.h>
struct Port { void begin(int); void println(const char *); void println(float, int); };
extern Port Serial;
unsigned long micros();
"""
TWO = """#include <stdio.h>
#include "kdp_model.h"
#include "walk_model.h"
uint32_t kdp_port_now(void *context) { return *(uint32_t *)context; }
KDP_ALIGNED static uint8_t first[KDP_MODEL_MEMORY], second[WALK_MODEL_MEMORY];
static kdp_policy a, b;
int main(void)
{
    static uint32_t clock_a, clock_b;
    const kdp_policy_config config_a = {&kdp_model_data, first, sizeof first, 1000000u, &clock_a, NULL};
    const kdp_policy_config config_b = {&walk_model_data, second, sizeof second, 1000000u, &clock_b, NULL};
    float seen_a[KDP_MODEL_OBS_DIM] = {0}, seen_b[WALK_MODEL_OBS_DIM] = {0};
    kdp_action action;
    if (kdp_policy_init(&a, &config_a) != 0 || kdp_policy_init(&b, &config_b) != 0) {
        return 1;
    }
    kdp_policy_reset(&a, 3, KDP_LOCKSTEP);
    kdp_policy_reset(&b, 3, KDP_LOCKSTEP);
    for (uint32_t step = 0; step < 3; step++) {
        if (kdp_policy_step(&a, step, seen_a, &action) != 0) return 2;
        printf("%a ", (double)action.values[0]);
        if (kdp_policy_step(&b, step, seen_b, &action) != 0) return 3;
        printf("%a ", (double)action.values[0]);
    }
    return 0;
}
"""


# of Zephyr's build system what a module uses: it links its libraries whole
ZEPHYR = """cmake_minimum_required(VERSION 3.13)
project(two LANGUAGES C)
macro(zephyr_library_named name)
  set(ZEPHYR_CURRENT_LIBRARY ${name})
  add_library(${name} STATIC "")
  set_property(GLOBAL APPEND PROPERTY LIBRARIES ${name})
endmacro()
function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_include_directories)
  get_filename_component(folder ${ARGN} ABSOLUTE)
  set_property(GLOBAL APPEND PROPERTY INCLUDES ${folder})
endfunction()
"""
ZEPHYR_END = """get_property(libraries GLOBAL PROPERTY LIBRARIES)
get_property(includes GLOBAL PROPERTY INCLUDES)
foreach(library ${libraries})
  target_include_directories(${library} PRIVATE ${includes})
endforeach()
add_executable(two two.c)
target_include_directories(two PRIVATE ${includes})
target_link_libraries(two -Wl,--whole-archive ${libraries} -Wl,--no-whole-archive)
"""


@pytest.fixture(scope="module")
def stand(planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another policy under another prefix, as every package."""
    out = tmp_path_factory.mktemp("stand") / "bundle"
    return targets.export_planner(planner, "firmware", out, {}, form=Form("stand", tuple(PACKAGES))).path


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A program with the policies stand and walk."""
    source = tmp_path / "two.c"
    source.write_text(TWO.replace("kdp_model", "stand_model").replace("KDP_MODEL", "STAND_MODEL"))
    return source


@pytest.fixture(scope="module")
def walk(small_planner: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small policy under the prefix walk, as every package."""
    out = tmp_path_factory.mktemp("walk") / "bundle"
    return targets.export_planner(small_planner, "firmware", out, {}, form=Form("walk", tuple(PACKAGES))).path


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _first_actions(planner: IntegerPlanner) -> list[float]:
    twin = Twin(planner)
    twin.reset(3)
    zeros = np.zeros(planner.spec.obs_dim, np.float32)
    replies = [twin.step(step, zeros) for step in range(3)]
    return [float(reply.action[0]) for reply in replies if isinstance(reply, Reply)]


def test_every_generated_name_has_the_prefix(walk: Path) -> None:
    generated = [path for path in (walk / "src").glob("walk_*")]
    assert {path.name for path in generated} >= {"walk_model.h", "walk_model.c", "walk_critic_m4.c"}
    text = "".join(path.read_text() for path in generated)
    defined = re.findall(r"#(?:define|ifndef) (\w+)|^const \w+ (\w+)", text, re.MULTILINE)
    names = {name for pair in defined for name in pair if name}
    assert all(name.lower().startswith("walk_") for name in names)
    assert load_bundle(walk).manifest["details"]["prefix"] == "walk"


def test_two_policies_in_one_program_each_plan_as_alone(
    bundle: Path, walk: Path, planner: IntegerPlanner, small_planner: IntegerPlanner, tmp_path: Path
) -> None:
    (tmp_path / "two.c").write_text(TWO)
    sources = [*(bundle / "src").glob("*.c"), *(walk / "src").glob("walk_*.c")]
    includes = [f"-I{bundle / 'src'}", f"-I{walk / 'src'}"]
    _run("cc", "-std=c99", "-O1", *includes, tmp_path / "two.c", *sources, "-o", tmp_path / "two")
    found = [float.fromhex(word) for word in _run(tmp_path / "two").split()]
    assert found[::2] == _first_actions(planner)
    assert found[1::2] == _first_actions(small_planner)


def _each_as_alone(program: Path, planner: IntegerPlanner, small_planner: IntegerPlanner) -> None:
    found = [float.fromhex(word) for word in _run(program).split()]
    assert found[::2] == _first_actions(planner)
    assert found[1::2] == _first_actions(small_planner)


def test_two_zephyr_modules_in_one_program(
    stand: Path, walk: Path, planner: IntegerPlanner, small_planner: IntegerPlanner, two: Path
) -> None:
    modules = []
    for name, folder in (("stand", stand), ("walk", walk)):
        modules.append(f"set(CONFIG_{name.upper()} y)\nadd_subdirectory({folder}/zephyr {name})\n")
    (two.parent / "CMakeLists.txt").write_text(ZEPHYR + "".join(modules) + ZEPHYR_END)
    _run("cmake", "-S", two.parent, "-B", two.parent / "build")
    _run("cmake", "--build", two.parent / "build")
    _each_as_alone(two.parent / "build" / "two", planner, small_planner)


def test_two_libraries_of_arduino_platformio_or_esp_idf_in_one_program(
    stand: Path, walk: Path, planner: IntegerPlanner, small_planner: IntegerPlanner, two: Path
) -> None:
    """Each links an archive a library: what both hold is taken once."""
    archives = []
    for name, folder in (("stand", stand), ("walk", walk)):
        assert "dot_a_linkage=true" in (folder / "library.properties").read_text().splitlines()
        assert json.loads((folder / "library.json").read_text())["build"]["libArchive"] is True
        objects = two.parent / name
        objects.mkdir()
        _run("cc", "-std=gnu11", "-O1", "-c", *sorted((folder / "src").glob("*.c")), cwd=objects)
        _run("ar", "rcs", objects / f"lib{name}.a", *sorted(objects.glob("*.o")))
        archives.append(objects / f"lib{name}.a")
    includes = [f"-I{folder / 'src'}" for folder in (stand, walk)]
    program = two.parent / "two"
    _run("cc", "-O1", *includes, two, "-Wl,--start-group", *archives, "-Wl,--end-group", "-o", program)
    _each_as_alone(program, planner, small_planner)


def test_two_cmsis_packs_in_one_program(
    stand: Path, walk: Path, planner: IntegerPlanner, small_planner: IntegerPlanner, two: Path
) -> None:
    """The component that all policies share is chosen once; each policy requires one."""
    sources = []
    for name, folder in (("stand", stand), ("walk", walk)):
        pack = ElementTree.parse(folder / f"kdp-edge.{name}.pdsc")
        components = {part.attrib["Csub"]: part for part in pack.iter("component")}
        assert set(components) == {"core", name} and components["core"].attrib["Cvariant"] == name
        (required,) = (
            c for c in pack.iter("condition") if c.attrib["id"] == components[name].attrib["condition"]
        )
        assert [r.attrib["Csub"] for r in required.iter("require")] == ["core"]
        for part in ("core", name) if name == "stand" else (name,):
            files = [f.attrib for f in components[part].iter("file")]
            sources += [folder / f["name"] for f in files if f["category"] == "source"]
    includes = [f"-I{folder / 'src'}" for folder in (stand, walk)]
    _run("cc", "-std=c99", "-O1", *includes, two, *sources, "-o", two.parent / "two")
    _each_as_alone(two.parent / "two", planner, small_planner)


def test_the_readmes_commands_and_cmake_build_the_example(walk: Path, tmp_path: Path) -> None:
    (commands,) = re.findall(r"```sh\n(.*?)```", (walk / "README.md").read_text(), re.DOTALL)
    printed = _run(
        "sh",
        "-ec",
        commands.replace("-o main", f"-o {tmp_path}/main").replace("./", f"{tmp_path}/"),
        cwd=walk,
    )
    assert len(printed.splitlines()) == 10
    _run("cmake", "-S", walk, "-B", tmp_path / "build")
    _run("cmake", "--build", tmp_path / "build")
    assert _run(tmp_path / "build" / "walk_example") == printed


def test_each_package_lists_the_sources_that_are_there(walk: Path) -> None:
    sources = sorted(path.name for path in (walk / "src").glob("*.c"))
    for name in ("CMakeLists.txt", "zephyr/CMakeLists.txt", "kdp-edge.walk.pdsc"):
        listed = re.findall(r"src/(\w+\.c)", (walk / name).read_text())
        assert sorted(listed) == sources, name
    assert json.loads((walk / "library.json").read_text())["headers"] == "walk_model.h"
    properties = dict(line.split("=", 1) for line in (walk / "library.properties").read_text().splitlines())
    assert properties["includes"] == "walk_model.h"
    assert ElementTree.parse(walk / "kdp-edge.walk.pdsc").findtext("name") == "walk"


@pytest.mark.parametrize("core", [M4, M55], ids=["cortex-m4", "cortex-m55"])
def test_its_sources_cross_compile_as_the_ecosystems_compile(
    core: list[str], walk: Path, tmp_path: Path
) -> None:
    """GNU C, not C99; all files of src/, whatever their kernel."""
    sources = sorted((walk / "src").glob("*.c"))
    warnings = [flag for flag in WARNINGS if flag != "-Wconversion"]
    _run("arm-none-eabi-gcc", *core, "-std=gnu11", "-O1", *warnings, "-c", *sources, cwd=tmp_path)


def test_the_arduino_sketch_compiles_against_a_stand_in_of_its_library(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "Arduino.h").write_text(STUB)
    sketch = walk / "examples" / "Plan" / "Plan.ino"
    command = ["arm-none-eabi-g++", *M4, "-std=gnu++17", "-x", "c++", f"-I{walk / 'src'}"]
    _run(*command, "-include", tmp_path / "Arduino.h", *WARNINGS, "-fsyntax-only", sketch)


def test_build_makes_an_image_of_a_policy_with_a_prefix(walk: Path, tmp_path: Path) -> None:
    image = compile_bundle(walk, "stm32f405", tmp_path / "image")
    assert image.within_limits


@pytest.mark.parametrize("prefix", ["Walk", "1walk", "kdp_walk", "", "a-b"])
def test_a_prefix_that_cannot_begin_c_names_is_refused(prefix: str) -> None:
    with pytest.raises(KdpError, match="cannot begin C names"):
        Form(prefix)


def test_an_unknown_package_and_a_form_of_another_target_are_refused(
    small_planner: IntegerPlanner, tmp_path: Path
) -> None:
    with pytest.raises(KdpError, match="did you mean zephyr"):
        Form(packages=("zephir",))
    with pytest.raises(KdpError, match="are for target firmware"):
        targets.export_planner(small_planner, "sbc", tmp_path / "out", {}, form=Form("walk"))
