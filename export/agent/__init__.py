# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What runs on an SBC or a Jetson: the agent, which answers the link protocol as a board does, and `Planner`.

NumPy and safetensors only, ONNX Runtime or TensorRT when its back end is chosen; Python 3.10. The
exporter copies these files, and what they import of kdp_edge, into the bundle as `kdp_agent`.
"""
