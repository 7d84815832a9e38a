# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Tensors stored in an ONNX file: what TensorRT says against one, and its value.

Nothing here trusts the file: sizes, types and paths are what its author wrote.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper

FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})
INT8, INT4, FP8 = TensorProto.INT8, TensorProto.INT4, TensorProto.FLOAT8E4M3FN
QUANTIZED = frozenset({INT8, INT4, FP8})
# DOUBLE is read as FLOAT
TYPES = (
    FLOATS
    | QUANTIZED
    | {TensorProto.DOUBLE, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8, TensorProto.BOOL}
)
MOST_DIMENSIONS = 8
# attributes of Constant that TensorRT reads, and the element type they give
CONSTANT_FORMS = {
    "value_float": TensorProto.FLOAT,
    "value_floats": TensorProto.FLOAT,
    "value_int": TensorProto.INT64,
    "value_ints": TensorProto.INT64,
}
_VALUES = {
    "value": AttributeProto.TENSOR,
    "value_float": AttributeProto.FLOAT,
    "value_floats": AttributeProto.FLOATS,
    "value_int": AttributeProto.INT,
    "value_ints": AttributeProto.INTS,
}
FORMS_OPSET = 12  # value_float and its like


def type_name(kind: int) -> str:
    """`FLOAT`, `INT8`, …; a number that ONNX does not define is printed as it is."""
    return TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else f"type {kind}"


def tensor_fault(tensor: TensorProto, folder: Path | None) -> str | None:
    """Why TensorRT cannot read a tensor; None when it can. `folder`: where the model lies, if in a file."""
    if tensor.data_type not in TYPES:
        known = ", ".join(sorted(map(type_name, TYPES)))
        return f"element type is {type_name(tensor.data_type)}, expected one of {known}"
    if len(tensor.dims) > MOST_DIMENSIONS:
        return f"has {len(tensor.dims)} dimensions, expected at most {MOST_DIMENSIONS}"
    if any(size < 0 for size in tensor.dims):
        return f"shape is {list(tensor.dims)}, expected no negative dimension"
    if tensor.HasField("segment"):
        return "is stored in segments, expected one piece"
    count = math.prod(tensor.dims)
    bits = 4 if tensor.data_type == INT4 else 8 * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    size = (count * bits + 7) // 8
    if tensor.data_location == TensorProto.EXTERNAL:
        return _external_fault(tensor, size, folder)
    if tensor.HasField("raw_data"):
        found = len(tensor.raw_data)
        return None if found == size else f"has {found} bytes for shape {list(tensor.dims)}, expected {size}"
    stored = helper.tensor_dtype_to_field(tensor.data_type)
    found, expected = len(getattr(tensor, stored)), (count + 1) // 2 if bits == 4 else count
    return (
        None
        if found == expected
        else f"has {found} values for shape {list(tensor.dims)}, expected {expected}"
    )


def _external_fault(tensor: TensorProto, size: int, folder: Path | None) -> str | None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None or not location:
        return f"is stored in another file, {location or 'which is not named'}, expected its data here"
    path = Path(folder, location)
    inside = not Path(location).is_absolute() and ".." not in Path(location).parts
    try:
        if not inside or not path.is_file():
            return f"is stored in {location}, which is not a file beside the model"
        offset = int(entries.get("offset", "0") or 0)
        length = int(entries.get("length", "0") or 0) or path.stat().st_size - offset
        if offset < 0 or length != size or offset + length > path.stat().st_size:
            return f"takes {length} bytes at {offset} of {location}, expected {size} within the file"
    except (OSError, ValueError) as error:
        return f"is stored in {location!r}, which cannot be read: {error}"
    return None


def tensor_value(tensor: TensorProto, folder: Path | None) -> np.ndarray | None:
    """The value; None when TensorRT cannot read the tensor."""
    if tensor_fault(tensor, folder) is not None:
        return None
    try:
        return np.asarray(numpy_helper.to_array(tensor, str(folder or "")))
    except Exception:  # onnx raises many kinds on malformed tensors; the value is then unknown
        return None


def constant_fault(attributes: dict[str, AttributeProto], opset: int) -> str | None:
    """Why TensorRT cannot read a node Constant with these attributes; None when it can."""
    known = _known(attributes)
    refused = [name for name in attributes if name in ("sparse_value", "value_string", "value_strings")]
    expected = f"expected value or one of {', '.join(CONSTANT_FORMS)}"
    if refused:
        return f"has {refused[0]}, {expected}"
    if not known:
        return f"has {', '.join(attributes) or 'no attribute'}, {expected}"
    if "value" not in known and opset < FORMS_OPSET:
        return f"has {known[0]} at opset {opset}, expected value or an opset of {FORMS_OPSET} or newer"
    for name in known:
        if name in ("value_floats", "value_ints") and not helper.get_attribute_value(attributes[name]):
            return f"has an empty {name}, expected at least one number"
    return None


def constant_tensor(attributes: dict[str, AttributeProto], opset: int) -> TensorProto | None:
    """What a node Constant holds; None when TensorRT cannot read it. `value` is its last choice."""
    if constant_fault(attributes, opset) is not None:
        return None
    known = _known(attributes)
    for name, kind in CONSTANT_FORMS.items():
        if name in known:
            value = helper.get_attribute_value(attributes[name])
            return numpy_helper.from_array(np.asarray(value, helper.tensor_dtype_to_np_dtype(kind)))
    return attributes["value"].t


def _known(attributes: dict[str, AttributeProto]) -> list[str]:
    return [name for name, attribute in attributes.items() if attribute.type == _VALUES.get(name)]
