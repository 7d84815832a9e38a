# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""`python3 agent.py`: check the bundle, test the back end on its golden vectors, then serve the link."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

from kdp_edge.base.errors import GATE_FAILED, INTERRUPTED, USAGE, KdpError
from kdp_edge.exporters.agent import backends, doors, ports
from kdp_edge.exporters.agent.bench import bench
from kdp_edge.exporters.agent.doors import Door
from kdp_edge.exporters.agent.latch import latch_file
from kdp_edge.exporters.agent.opening import checked, opened, warm_up
from kdp_edge.exporters.agent.selftest import PRECISIONS
from kdp_edge.exporters.agent.serve import serve
from kdp_edge.exporters.agent.server import AgentServer
from kdp_edge.wire.protocol import SelfTest


def main(folder: Path, arguments: list[str] | None = None) -> int:
    """Serve the bundle in `folder`; returns the exit code."""
    try:
        return _run(folder, _parse(arguments))
    except KdpError as error:
        print(f"agent: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"agent: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("agent: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="agent.py", description="Plan on this device, over the link protocol."
    )
    parser.add_argument("--backend", choices=backends.NAMES, help="default: the one of this bundle")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="int8", help="of the layers; default %(default)s"
    )
    where = parser.add_mutually_exclusive_group()
    doors.add_options(parser, where)
    where.add_argument("--serial", metavar="PORT", help="a serial port, such as /dev/ttyTHS1")
    where.add_argument("--pty", action="store_true", help="a new pseudo-terminal; its name is printed")
    where.add_argument(
        "--bench",
        type=_count,
        metavar="N",
        help="time N plans at the control rate: queue, copy, execution, the whole; print JSON and leave",
    )
    where.add_argument("--self-test", action="store_true", help="only compare with the golden vectors")
    where.add_argument("--engine-name", metavar="NET", help=argparse.SUPPRESS)  # for build_engine.sh
    parser.add_argument("--baud", type=int, default=921600, help="default %(default)s")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of plans from 1 to 10000000")
    return int(text)


def _run(folder: Path, options: argparse.Namespace) -> int:
    door = doors.door(options)  # what is wrong with it is said before the self-test, which takes seconds
    if options.engine_name:
        print(_engine_name(folder, options.engine_name, checked(folder)[1].spec.k))
        return 0
    found = opened(folder, options.backend, options.precision)
    device, result = found.planner, found.result
    name = found.backend if found.precision == "int8" else f"{found.backend} {found.precision}"
    _announce(name, found.manifest, result)
    if options.self_test or (options.bench is not None and not result.passed):
        return 0 if result.passed else GATE_FAILED
    warm_up(device)
    if options.bench is not None:
        print(json.dumps({"backend": name, **bench(device, options.bench)}, indent=2))
        return 0
    server = AgentServer(
        device, f"{platform.machine()} {name}", result, latch_file(folder, _door_name(options))
    )
    _serve(server, door, options)
    return 0


def _engine_name(folder: Path, net: str, batch: int) -> str:
    from kdp_edge.exporters.agent.cuda import Cuda
    from kdp_edge.exporters.agent.tensorrt_engine import engine_name, tensorrt

    return engine_name(folder / f"{net}.onnx", batch, tensorrt().__version__, Cuda().name())


def _announce(backend: str, manifest: dict[str, Any], result: SelfTest) -> None:
    verdict = "passed" if result.passed else f"FAILED at vector {result.first_failed}: steps will be refused"
    print(
        f"{manifest['task']}, model {manifest['model_sha256'][:16]}, {backend}: self-test on "
        f"{result.vectors} vectors {verdict}",
        file=sys.stderr,
        flush=True,
    )


def _door_name(options: argparse.Namespace) -> str:
    """Where hosts find this agent, so that two of one bundle are two devices."""
    return str(options.serial or options.listen or options.socket or ("pty" if options.pty else ""))


def _serve(server: AgentServer, door: Door, options: argparse.Namespace) -> None:
    if options.serial:
        ports.serve_serial(options.serial, options.baud, server)
    elif options.pty:
        ports.serve_pty(server)
    else:
        serve(door, server)
