# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""JSON from outside as a dataclass: names, types and finite numbers are checked before anything is used."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from kdp_edge.base.errors import KdpError
from kdp_edge.base.lookup import unknown

T = TypeVar("T")


def typed(kind: type[T], value: Any, where: Path | str, remedy: str) -> T:
    """`value` as the dataclass `kind`; nested dataclasses, lists, tuples and dicts by the fields' types.

    Args:
        where: the file, for messages.
        remedy: what to do about a wrong one, such as "quantize again".

    Raises:
        KdpError: a field is unknown, missing or of another type: where, its name, found, expected.
    """
    try:
        made: T = _convert(kind, value, "")
    except _WrongError as error:
        raise KdpError(f"{where}: {error}; {remedy}") from None
    return made


class _WrongError(Exception):
    """`name` is of another type than `expected`; both empty where the fault lies elsewhere."""

    def __init__(self, message: str, name: str = "", expected: str = "") -> None:
        super().__init__(message)
        self.name, self.expected = name, expected


def _convert(kind: Any, value: Any, name: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, value, name)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(inner, value, name)
    if origin in (list, tuple):
        if not isinstance(value, list | tuple):
            raise _wrong(name, value, "a list")
        if origin is tuple and inner[-1] is not Ellipsis and len(inner) != len(value):
            raise _wrong(name, value, f"{len(inner)} values")
        kinds = [inner[0]] * len(value) if origin is list or inner[-1] is Ellipsis else inner
        made = [_convert(k, one, f"{name}[{i}]") for i, (k, one) in enumerate(zip(kinds, value, strict=True))]
        return made if origin is list else tuple(made)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _wrong(name, value, "an object")
        return {str(key): _convert(inner[1], one, f"{name}.{key}") for key, one in value.items()}
    return _plain(kind, value, name)


def _plain(kind: Any, value: Any, name: str) -> Any:
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(name, value, "a number")
        try:
            number = float(value)
        except OverflowError:
            raise _wrong(name, value, "a finite number") from None
        if not isfinite(number):
            raise _wrong(name, value, "a finite number")
        return number
    expected = {str: "a text", int: "a whole number", bool: "true or false"}.get(kind)
    if expected is not None and type(value) is not kind:
        raise _wrong(name, value, expected)
    return value


def _union(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    expected: list[str] = []
    for kind in kinds:
        if kind is not type(None):
            try:
                return _convert(kind, value, name)
            except _WrongError as error:
                if not error.expected or error.name != name:
                    raise  # the right type, and something in it is wrong
                expected.append(error.expected)
    raise _wrong(name, value, " or ".join(expected))


def _dataclass(kind: type[Any], value: Any, name: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "an object")
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind) if field.init]
    prefix = f"{name}." if name else ""
    for key in value:
        if key not in known:
            place = f"{name}: " if name else ""
            raise _WrongError(f"{place}{unknown('key', str(key), known)}")
    for field in fields(kind):
        needed = field.init and field.default is MISSING and field.default_factory is MISSING
        if needed and field.name not in value:
            raise _WrongError(f"{prefix}{field.name} is missing")
    return kind(**{key: _convert(hints[key], one, f"{prefix}{key}") for key, one in value.items()})


def _wrong(name: str, value: Any, expected: str) -> _WrongError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return _WrongError(f"{name or 'content'} is {shown}, expected {expected}", name, expected)
