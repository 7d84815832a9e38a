"""What changed from one report to another, cell by cell."""

from __future__ import annotations

from kdp_edge.hil.result import Report
from kdp_edge.hil.table import NOTHING, sections


def changes(first: Report, second: Report) -> list[dict[str, str]]:
    """Rows {"device", "what", "before", "after", "change"}: of devices in both, the cells that differ."""
    before, after = _cells(first), _cells(second)
    rows = []
    for device in second.devices:
        for what in after.get(device, {}):
            old = before.get(device, {}).get(what, NOTHING)
            new = after[device][what]
            if old != new and device in before:
                rows.append(
                    {"device": device, "what": what, "before": old, "after": new, "change": _ratio(old, new)}
                )
    return rows


def _cells(report: Report) -> dict[str, dict[str, str]]:
    cells: dict[str, dict[str, str]] = {name: {} for name in report.devices}
    for section in sections(report):
        for row in section.rows:
            for name, cell in zip(cells, row.cells, strict=True):
                cells[name][row.label] = cell
    return cells


def _ratio(old: str, new: str) -> str:
    """Change of the first number in two cells, in per cent."""
    try:
        a, b = (float(cell.split()[0].replace(",", "")) for cell in (old, new))
    except ValueError:
        return ""
    return f"{100 * (b - a) / a:+.1f} %" if a else ""
