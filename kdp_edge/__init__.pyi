# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
from kdp_edge.data.store import load_data as load_data
from kdp_edge.exporters.build import build as build
from kdp_edge.exporters.targets import export as export
from kdp_edge.hil.closed_loop import closed_loop as closed_loop
from kdp_edge.hil.planner import Planner as Planner
from kdp_edge.hil.remote import connect as connect
from kdp_edge.learn.train import train as train
from kdp_edge.play.evaluate import evaluate as evaluate
from kdp_edge.quantization.policy import quantize as quantize
from kdp_edge.run import Run as Run
from kdp_edge.tasks import Task as Task
from kdp_edge.tasks import get_task as get_task
from kdp_edge.tasks.environments import open_plant as open_plant
from kdp_edge.wire.numbers import Flag as Flag
from kdp_edge.wire.numbers import Pace as Pace
from kdp_edge.wire.numbers import State as State

__version__: str
