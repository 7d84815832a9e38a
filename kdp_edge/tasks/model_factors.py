# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Factors on a plant's MuJoCo model: heavier or lighter, more or less grip, stronger or weaker actuators."""

from __future__ import annotations

from typing import Any

FIELDS = {
    "mass": ("body_mass", "body_inertia"),
    "friction": ("geom_friction",),
    # forces are gain * control + bias, so a weaker motor and a weaker servo are changed alike
    "actuators": ("actuator_gainprm", "actuator_biasprm"),
}


class ModelFactors:
    """Sets factors on the model as it was when this was made; an episode begins after that, not before."""

    def __init__(self, data: Any) -> None:
        """`data`: MuJoCo's, its model as `.model`."""
        self.data = data
        names = [name for group in FIELDS.values() for name in group]
        self.nominal = {name: getattr(data.model, name).copy() for name in names}

    def set(self, **factors: float) -> None:
        """`mass` (with inertia), `friction` and `actuators`, each a factor; what is not named stays 1."""
        import mujoco

        model = self.data.model
        for quantity, names in FIELDS.items():
            for name in names:
                getattr(model, name)[:] = factors.get(quantity, 1.0) * self.nominal[name]
        mujoco.mj_setConst(model, self.data)  # what contacts derive from masses
