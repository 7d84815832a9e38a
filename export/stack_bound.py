"""Worst-case stack from GCC's call graph (-fcallgraph-info=su): the deepest path, not a guess.

Every function has a static frame and every call is direct, so the graph is complete; a recursion,
an indirect call or a dynamic frame is an error rather than a wrong number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from kdp_edge.errors import KdpError

# frames of functions that come without a call graph: the C library's memcpy, memset, memcmp,
# strlen and the compiler's arithmetic helpers, none of which calls another or saves more
LIBRARY_FRAME = 64
# registers that an exception stacks: 26 words with the FPU's, one more to align
EXCEPTION_FRAME = 108

_NODE = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"')
_EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
_FRAME = re.compile(r"(\d+) bytes \(([^)]*)\)")


def stack_bound(graphs: Iterable[Path], entries: Iterable[str], interrupt: str) -> int:
    """Bytes of stack in the worst case: the deepest path from `entries`, interrupted once.

    Args:
        graphs: .ci files of all translation units.
        entries: functions that start on an empty stack.
        interrupt: the one interrupt handler.
    """
    frames, calls = _read(graphs)

    @cache
    def depth(name: str) -> int:
        if name in active:
            raise KdpError(f"firmware: {name} is recursive; its stack has no bound")
        if name not in frames:
            return LIBRARY_FRAME
        active.add(name)
        deepest = max((depth(callee) for callee in calls.get(name, ())), default=0)
        active.discard(name)
        return frames[name] + deepest

    active: set[str] = set()
    for name in (*entries, interrupt):
        if name not in frames:
            raise KdpError(f"firmware: no call graph of {name}; was it compiled?")
    return max(depth(name) for name in entries) + EXCEPTION_FRAME + depth(interrupt)


def _read(graphs: Iterable[Path]) -> tuple[dict[str, int], dict[str, set[str]]]:
    frames: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    for path in graphs:
        text = path.read_text(encoding="utf-8")
        for name, label in _NODE.findall(text):
            frame = _FRAME.search(label)
            if frame is None:
                continue
            if frame[2] not in ("static", "dynamic,bounded"):
                raise KdpError(f"firmware: {name} has a {frame[2]} stack frame; its stack has no bound")
            frames[name] = int(frame[1])
        for caller, callee in _EDGE.findall(text):
            if callee == "__indirect_call":
                raise KdpError(f"firmware: {caller} calls through a pointer; its stack has no bound")
            calls.setdefault(caller, set()).add(callee)
    return frames, calls
