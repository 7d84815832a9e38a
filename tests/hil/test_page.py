# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The page of a report: readable in the light, in the dark, on a phone and on paper; reasons first."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kdp_edge.base.progress import progress_bar
from kdp_edge.hil import plots
from kdp_edge.hil import report as reports
from kdp_edge.hil.result import Report
from kdp_edge.hil.scenario import Recording, Scenario
from kdp_edge.hil.session import Session
from kdp_edge.quantization.float_planner import FloatPlanner
from kdp_edge.quantization.plan import IntegerPlanner

TEMPLATE = Path(plots.__file__).with_name("templates") / "report.html"
STYLE = re.search(r"<style>(.*?)</style>", TEMPLATE.read_text(encoding="utf-8"), re.DOTALL)[1]  # type: ignore[index]
PHONE = 390  # px


class Page(HTMLParser):
    """Every start tag with its attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def played(planner: IntegerPlanner, float_planner: FloatPlanner) -> tuple[Report, list[Recording]]:
    scenario = Scenario("hopper-medium-expert", (3, 4), 20)
    return Session(scenario, ("reference",), planner, float_planner).play(progress_bar)


@pytest.fixture(scope="module")
def drawn(played: tuple[Report, list[Recording]]) -> dict[str, str]:
    report, recordings = played
    return plots.draw_all(recordings, report)


@pytest.fixture(scope="module")
def text(played: tuple[Report, list[Recording]], drawn: dict[str, str]) -> str:
    return reports.html(played[0], drawn)


def with_devices(report: Report, names: list[str]) -> Report:
    one = report.devices["reference"]
    return replace(report, devices=report.devices | {name: one for name in names})


def palettes() -> dict[str, dict[str, str]]:
    """The custom properties of the light and of the dark page."""
    light, dark = (
        dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    )
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted(luminance(colour) for colour in (first, second))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # a known near miss


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(mode: str) -> None:
    palette = palettes()[mode]
    assert set(palette) == set(palettes()["light"])
    for text in ("--ink", "--soft", "--good", "--bad"):
        for behind in ("--ground", "--card"):
            assert contrast(palette[text], palette[behind]) >= 4.5, (text, behind)
    for name in plots.PROPERTIES:
        if name.startswith("--device"):
            assert contrast(palette[name], palette["--card"]) >= 3, name


def test_no_colour_stands_outside_the_two_palettes(text: str) -> None:
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(", rules) == []
    images = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    light = palettes()["light"]
    used = re.findall(r"var\((--[\w-]+), (#[0-9a-f]{6})\)", images)
    assert used and all(light[name] == value for name, value in used)
    assert re.findall(r"(?:fill|stroke): ?#[0-9a-f]{3,6}", images) == []
    assert {name: light[name] for name in plots.PROPERTIES} == plots.PROPERTIES


def test_the_dark_is_for_screens_and_paper_stays_light() -> None:
    assert re.findall(r"@media (.*?) \{", STYLE).count("screen and (prefers-color-scheme: dark)") == 1
    assert "prefers-color-scheme: dark" not in STYLE.replace("screen and (prefers-color-scheme: dark)", "")


def test_every_heading_of_a_table_says_what_it_heads(text: str) -> None:
    heads = Page(text).all("th")
    assert len(heads) > 30
    assert {head.get("scope") for head in heads} == {"col", "row", "rowgroup"}


def test_every_plot_has_a_title_and_a_description(text: str) -> None:
    found = Page(text)
    images = found.all("svg")
    assert len(images) == len(found.all("figure")) == len(found.all("figcaption")) == 4
    assert {svg["role"] for svg in images} == {"img"}
    assert [svg["aria-label"] for svg in images] == [
        plots.LABELS[name] for name in ("returns", "latency", "actions", "timeline")
    ]


def test_identifiers_in_a_page_are_unique_and_every_reference_finds_one(text: str) -> None:
    names = [attributes["id"] for _, attributes in Page(text).tags if "id" in attributes]
    assert names and len(names) == len(set(names))
    assert set(re.findall(r'(?:href="|url\()#([\w.-]+)', text)) <= set(names)


def test_gates_come_before_tables_and_plots_and_failed_ones_first(
    played: tuple[Report, list[Recording]], drawn: dict[str, str]
) -> None:
    report, _ = played
    last = replace(report.gates[-1], passed=False)
    text = reports.html(replace(report, gates=[*report.gates[:-1], last], passed=False), drawn)
    order = [
        'class="verdict',
        ">Gates<",
        ">failed<",
        ">not judged<",
        ">passed<",
        ">Side by side<",
        "<svg",
        ">Provenance<",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_no_width_is_fixed_beyond_a_phones() -> None:
    fixed = re.findall(r"(?<![\w-])(?:min-)?width: *([\d.]+)(px|mm|pt)", STYLE)
    assert [value for value, unit in fixed if unit != "px" or float(value) > PHONE] == []
    for columns in re.findall(r"(?:grid-template-columns|columns): ([^;]+);", STYLE):
        assert all(float(value) <= PHONE for value in re.findall(r"([\d.]+)px", columns)), columns
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in TEMPLATE.read_text()


def test_on_paper_no_table_has_more_than_four_devices_and_none_is_left_out(
    played: tuple[Report, list[Recording]], drawn: dict[str, str]
) -> None:
    report, _ = played
    names = ["native", "qemu:a", "qemu:b", "serial:/dev/ttyUSB0@921600", "agent:h:1"]
    text = reports.html(with_devices(report, names), drawn)
    pieces = text[text.index('<div class="pieces">') : text.index(">Plots<")]
    tables = pieces.split("<table")[1:]
    heads = [re.findall(r'<th scope="col"><i[^>]*></i>(.*?)</th>', table) for table in tables]
    assert [len(head) for head in heads] == [4, 3]
    shown = [head.replace("<wbr>", "") for part in heads for head in part]
    assert shown == ["float", "reference", *names]
    assert 'class="pieces"' not in reports.html(report, drawn)


@pytest.mark.parametrize(
    "passed, judged, name, answer",
    [
        (False, True, "serial:/dev/ttyUSB0", "No: 1 gate failed"),
        (True, False, "serial:/dev/ttyUSB0", "Not yet: nothing here says"),
        (True, True, "qemu:stm32f405", "Not yet: no board took part"),
        (True, True, "serial:/dev/ttyUSB0", "Carefully: serial:/dev/ttyUSB0 answered as predicted"),
    ],
)
def test_the_page_answers_whether_this_may_be_flashed(
    played: tuple[Report, list[Recording]],
    drawn: dict[str, str],
    passed: bool,
    judged: bool,
    name: str,
    answer: str,
) -> None:
    device, behaviour = played[0].verdicts
    outcome = "passed" if judged else "not judged"
    report = replace(played[0], verdicts=[device, replace(behaviour, outcome=outcome)])
    gates = [replace(report.gates[0], passed=passed), *report.gates[1:]]
    text = reports.html(replace(with_devices(report, [name]), gates=gates, passed=passed), drawn)
    assert f"May I flash this on my robot?</strong> {answer}" in text
