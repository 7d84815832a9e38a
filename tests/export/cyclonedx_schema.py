# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""CycloneDX's own JSON schema, as its makers ship it."""

from __future__ import annotations

import json
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def check_cyclonedx(value: dict[str, Any]) -> None:
    """Raise unless `value` is CycloneDX 1.7, and all its references lead somewhere."""
    error = JsonStrictValidator(SchemaVersion.V1_7).validate_str(json.dumps(value))
    assert error is None, error
    refs = {part["bom-ref"] for part in [value["metadata"]["component"], *value["components"]]}
    assert len(refs) >= len(value["components"])
    for row in value["dependencies"]:
        assert {row["ref"], *row.get("dependsOn", [])} <= refs
