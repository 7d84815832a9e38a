# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Compile a firmware bundle for a board: image, sizes, stack bound, hashes. Same inputs, same bytes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import kdp_edge
from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import read_json, read_object, sha256_file, write_json
from kdp_edge.base.folders import Purpose, check_writable, written_folder
from kdp_edge.base.lookup import hint
from kdp_edge.exporters import boot_rom, c_files, esp_image, image_trailer, monocypher_source
from kdp_edge.exporters.architecture import Architecture, architecture_of
from kdp_edge.exporters.boards import BOARDS, FIRMWARE, Board, BuildOptions, Limits, load_board
from kdp_edge.exporters.bundle import MANIFEST, Bundle, load_bundle, model_score
from kdp_edge.exporters.c_model import PREFIX
from kdp_edge.exporters.stack_bound import stack_bound
from kdp_edge.exporters.targets import export
from kdp_edge.exporters.toolchain import Toolchain, host_toolchain, run
from kdp_edge.quantization.policy import planner_of
from kdp_edge.run import Run

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
# no fused multiply-add: float32 must round as on the host
FLAGS = ["-std=c99", "-O2", "-g", "-gno-record-gcc-switches", "-ffp-contract=off", *WARNINGS]
# Monocypher's sources are not ours to warn about; small rather than fast
FOREIGN = ["-w", "-Os", "-DBLAKE2_NO_UNROLLING"]
CROSS = ["-fno-common", "-ffunction-sections", "-fdata-sections"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
# they start on an empty stack
ENTRIES = ("kdp_reset_handler", "kdp_fault_handler")
RAM_SECTIONS = (".stack", ".data", ".bss", ".noinit")
STACK_MARGIN = 256  # beyond the computed bound
MEMORY = """MEMORY
{{
    FLASH (rx) : ORIGIN = {board.flash_start:#x}, LENGTH = {board.flash_bytes}
    RAM (rw) : ORIGIN = {board.ram_start:#x}, LENGTH = {board.ram_bytes}
{own}}}
{aliases}"""
NOINIT_BYTES = 64  # of a board that keeps them in memory of its own
BUILD_FILE = "build.json"


@dataclass(frozen=True)
class Image:
    """A compiled firmware; the paths lie in one folder together with build.json."""

    elf: Path
    board: str
    core: str
    machine: str  # QEMU's name of the board, empty when it has none
    kernel: str
    model_sha256: str
    flash_bytes: int
    ram_bytes: int  # variables and stack
    stack_bytes: int  # reserved: bound and margin; 0 for native
    stack_bound_bytes: int  # computed worst case; 0 for native
    limits: Limits  # of its board

    @property
    def folder(self) -> Path:
        """Where build.json and the other forms of the image are."""
        return self.elf.parent

    @property
    def bin(self) -> Path:
        """Raw bytes from the start of flash."""
        return self.elf.with_suffix(".bin")

    @property
    def hex(self) -> Path:
        """Intel HEX."""
        return self.elf.with_suffix(".hex")

    @property
    def within_limits(self) -> bool:
        """Whether flash and RAM stay within the board's limits."""
        return self.flash_bytes <= self.limits.flash_bytes and self.ram_bytes <= self.limits.ram_bytes


def build(
    source: Run | Bundle | Path | str,
    board: str,
    out: Path | None = None,
    options: BuildOptions | None = None,
) -> Image:
    """Compile the firmware of a policy for a board.

    Args:
        source: a run, whose firmware bundle is exported when it is missing or holds another model; or a
            bundle for target firmware; or the folder of either.
        board: a folder of firmware/boards, or the path of one elsewhere.
        out: folder of the image; without it RUN/builds/BOARD, or BUNDLE-builds/BOARD.

    Raises:
        KdpError: damaged or wrong bundle, unknown board, missing toolchain, image too large.
    """
    name = load_board(board).name  # an unknown board should not cost an export first
    path = source.path if isinstance(source, Run | Bundle) else Path(source)
    if (path / MANIFEST).is_file():
        return compile_bundle(path, board, out or path.with_name(f"{path.name}-builds") / board, options)
    run = source if isinstance(source, Run) else Run.load(path)
    return compile_bundle(firmware_bundle(run), board, out or path / "builds" / name, options)


def firmware_bundle(run: Run) -> Path:
    """The run's firmware bundle, exported when it is missing or holds another model."""
    folder = run.path / "bundles" / "firmware"
    manifest = folder / MANIFEST
    model = planner_of(run).model_sha256()
    if not manifest.is_file() or read_object(manifest).get("model_sha256") != model:
        export(run, "firmware", folder)
    return folder


def compile_bundle(bundle: Path, board: str, out: Path, options: BuildOptions | None = None) -> Image:
    """Compile the firmware bundle at `bundle` for `board` into the folder `out`.

    Raises:
        KdpError: damaged or wrong bundle, unknown board, missing toolchain, image too large.
    """
    target = load_board(board)
    options = options or BuildOptions()
    defines = [f'-DKDP_VERSION="{kdp_edge.__version__}"', *options.defines(target)]
    policy = load_bundle(Path(bundle).resolve())
    if policy.target != "firmware":
        raise KdpError(f"{bundle}: bundle for target {policy.target}, expected firmware; export it for that")
    known = policy.manifest["details"]["kernels"]
    if options.kernel is not None and options.kernel not in known:
        raise KdpError(
            f"kernel {options.kernel!r} is unknown: {hint(options.kernel, known)}the bundle has "
            f"{', '.join(known)}"
        )
    toolchain = toolchain_for(target)
    out = check_writable(Path(out), IMAGE)
    with tempfile.TemporaryDirectory(prefix="kdp-build-") as temporary:
        job = _Job(policy, target, options, toolchain, defines, Path(temporary))
        with written_folder(out, IMAGE) as folder:
            record = job.native(folder) if target.is_native else job.cross(folder)
            write_json(folder / BUILD_FILE, record)
    return load_image(out)


def memory_regions(board: Board) -> str:
    """The linker's view of a board's memory: FLASH, RAM, where code runs and what no restart touches."""
    regions = {"CODE": (board.code_start, board.flash_bytes), "NOINIT": (board.noinit_start, NOINIT_BYTES)}
    own = "".join(
        f"    {name} : ORIGIN = {start:#x}, LENGTH = {size}\n"
        for name, (start, size) in regions.items()
        if start
    )
    shared = {"CODE": "FLASH", "NOINIT": "RAM"}
    aliases = "".join(
        f'REGION_ALIAS("{name}", {shared[name]});\n' for name, (start, _) in regions.items() if not start
    )
    return MEMORY.format(board=board, own=own, aliases=aliases)


def toolchain_for(board: Board) -> Toolchain:
    """The compiler for `board`; a missing one becomes a `KdpError`."""
    return host_toolchain() if board.is_native else architecture_of(board.core).toolchain()


def _written(folder: Path) -> set[str] | None:
    """The files of an image folder by its record, None if it has none."""
    try:
        record = read_json(folder / BUILD_FILE)
    except KdpError:
        return None
    if not isinstance(record, dict) or not {"board", "elf", "model_sha256"} <= set(record):
        return None
    files = record.get("files")
    return {BUILD_FILE, *files} if isinstance(files, dict) else None


IMAGE = Purpose("firmware image", _written, "no image folder")


def load_image(folder: Path) -> Image:
    """The image that `compile_bundle` wrote into `folder`, its files' hashes checked."""
    folder = Path(folder)
    record = read_object(folder / BUILD_FILE)
    missing = sorted({*Image.__dataclass_fields__, "files"} - set(record))
    if missing or not isinstance(record["files"], dict):
        raise KdpError(f"{folder / BUILD_FILE}: {missing or 'files'} missing; build again")
    for name, digest in record["files"].items():
        path = folder / name
        found = sha256_file(path) if path.is_file() else "missing"
        if found != digest:
            raise KdpError(f"{path}: SHA-256 is {found[:16]}, {BUILD_FILE} says {digest[:16]}; build again")
    fields = {name: record[name] for name in Image.__dataclass_fields__ if name not in ("elf", "limits")}
    return Image(elf=folder / record["elf"], limits=Limits(**record["limits"]), **fields)


@dataclass(frozen=True)
class _Job:
    bundle: Bundle
    board: Board
    options: BuildOptions
    toolchain: Toolchain
    defines: list[str]
    work: Path  # temporary

    @property
    def kernel(self) -> str:
        """The kernel of firmware/nn that is compiled, and whose nets are."""
        return self.options.kernel or self.board.kernel

    @property
    def family(self) -> Architecture:
        """Of the board's core; the host has none."""
        return architecture_of(self.board.core)

    def native(self, folder: Path) -> dict[str, Any]:
        """One program, `kdp_native`."""
        extra = SANITIZERS if self.options.sanitize else []
        objects = self._compile(extra)
        program = folder / "kdp_native"
        self._link(objects, program, extra)
        sizes = {"flash_bytes": program.stat().st_size, "ram_bytes": 0}
        return self._record(folder, program.name, sizes | {"stack_bytes": 0, "stack_bound_bytes": 0}, extra)

    def cross(self, folder: Path) -> dict[str, Any]:
        """image.elf, image.bin, image.hex; for an ESP32-C3 what its boot ROM loads, too."""
        family = self.family
        flags = [*CROSS, *family.flags, *self.board.flags]
        objects = self._compile(flags)
        elf, bin_, hex_ = (folder / f"image.{form}" for form in ("elf", "bin", "hex"))
        (self.work / "memory.ld").write_text(memory_regions(self.board))
        script = ["-T", str(BOARDS / "common" / "image.ld")]
        link = [*flags, "-nostartfiles", "-Wl,--gc-sections", *script, "-Wl,--defsym=kdp_stack_bytes="]
        # the code does not depend on how much stack there is: link, look, reserve what it needs
        self._link(objects, elf, [*link[:-1], link[-1] + "64"])
        bound = stack_bound(elf, self.toolchain, family.stack, ENTRIES, family.interrupt)
        stack = -(-(bound + STACK_MARGIN) // 64) * 64
        self._link(objects, elf, [*link[:-1], link[-1] + str(stack)])
        self._fill_trailer(elf, bin_)
        self._objcopy("-O", "ihex", elf, hex_)
        if self.board.boot == "esp32c3":
            code = self._section_bytes(elf, (".image",))
            image = esp_image.encode(bin_.read_bytes(), self.board.flash_start, self.board.code_start, code)
            (folder / esp_image.FILE).write_bytes(image)
        sizes = {"flash_bytes": bin_.stat().st_size, "ram_bytes": self._section_bytes(elf, RAM_SECTIONS)}
        sizes |= {"stack_bytes": stack, "stack_bound_bytes": bound}
        return self._record(folder, elf.name, sizes, flags)

    @property
    def _monocypher(self) -> Path:
        return self.work / "monocypher"

    def _sources(self) -> list[Path]:
        folders = [FIRMWARE / "core", FIRMWARE / "nn", self.board.folder]
        if not self.board.is_native:
            folders += self.family.start
        shared = self.board.shared()
        own = [path for folder in folders for path in sorted(folder.glob("*.[cS]"))]
        foreign = []
        if self.options.public_key is not None:
            self._monocypher.mkdir()
            monocypher_source.unpack(self._monocypher)
            foreign.append(self._monocypher / "monocypher.c")
        return [*self._generated(), *own, *shared, *foreign]

    def _generated(self) -> list[Path]:
        """The policy's own sources and headers, without the core of the version that exported them."""
        folder = self.work / "policy"
        folder.mkdir()
        sources = c_files.generated(self.bundle.path, self.kernel)
        for path in (*sources, *c_files.generated_headers(self.bundle.path)):
            shutil.copyfile(path, folder / path.name)
        if c_files.prefix_of(self.bundle.path) != PREFIX:
            header = c_files.header_for_ours(self.bundle.path)
            (folder / "kdp_model.h").write_text(header, encoding="utf-8")
        return [folder / path.name for path in sources]

    def _compile(self, extra: list[str]) -> list[Path]:
        sources = self._sources()
        folders = dict.fromkeys([self.board.folder, *(path.parent for path in sources)])
        includes = [f"-I{folder}" for folder in folders]
        # paths of this machine must not reach the image
        maps = {FIRMWARE: "firmware", self.work: "."}
        if not self.board.folder.is_relative_to(FIRMWARE):
            maps[self.board.folder] = f"firmware/boards/{self.board.name}"
        kernel = f"-DKDP_KERNEL=KDP_KERNEL_{self.kernel.upper()}"
        flags = [
            *FLAGS,
            kernel,
            *self.defines,
            *extra,
            *(f"-ffile-prefix-map={a}={b}" for a, b in maps.items()),
        ]
        objects = [self.work / f"{path.stem}.o" for path in sources]

        def compile_one(source: Path, target: Path) -> None:
            # an assembler file's debug information would name the temporary folder
            debug = ["-g0"] if source.suffix == ".S" else []
            strict = FOREIGN if source.parent == self._monocypher else []
            command = [self.toolchain.compiler, *flags, *debug, *strict, *includes, "-c", str(source)]
            run([*command, "-o", target.name], self.work)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(compile_one, sources, objects))
        return objects

    def _link(self, objects: list[Path], out: Path, flags: list[str]) -> None:
        try:
            libraries = () if self.board.is_native else self.family.libraries
            names = [*map(str, objects), "-o", str(out), *libraries]
            run([self.toolchain.compiler, *flags, *names], self.work)
        except KdpError as error:
            if "overflowed by" not in str(error):
                raise
            board = self.board
            raise KdpError(
                f"the image does not fit board {board.name} ({board.flash_bytes:,} bytes of flash, "
                f"{board.ram_bytes:,} of RAM): {str(error).partition(': ')[2]}; train a smaller net "
                "(--width, --k) or choose a larger board"
            ) from None

    def _objcopy(self, *arguments: str | Path) -> None:
        run([self.toolchain.tool("objcopy"), *map(str, arguments)])

    def _fill_trailer(self, elf: Path, bin_: Path) -> None:
        """Write board, model, size and CRC behind the program, in ELF and raw image."""
        if self.board.boot == "rp2040":
            self._replace_section(elf, ".boot", boot_rom.with_boot2_checksum)
        self._objcopy("-O", "binary", elf, bin_)
        content = image_trailer.make(bin_.read_bytes(), self.board.name, self._model())
        self._replace_section(elf, ".trailer", lambda _: content)
        self._objcopy("-O", "binary", elf, bin_)
        image_trailer.read(bin_.read_bytes(), bin_.name)
        boot_rom.check(self.board.boot, self.board.flash_start, bin_.read_bytes())

    def _replace_section(self, elf: Path, name: str, change: Callable[[bytes], bytes]) -> None:
        piece = self.work / f"{name[1:]}.bin"
        self._objcopy("-O", "binary", f"--only-section={name}", elf, piece)
        piece.write_bytes(change(piece.read_bytes()))
        self._objcopy("--update-section", f"{name}={piece}", elf)

    def _section_bytes(self, elf: Path, names: tuple[str, ...]) -> int:
        rows = [line.split() for line in run([self.toolchain.tool("size"), "-A", str(elf)]).splitlines()]
        return sum(int(row[1]) for row in rows if row and row[0] in names)

    def _model(self) -> str:
        return str(self.bundle.manifest["model_sha256"])

    def _record(self, folder: Path, elf: str, sizes: dict[str, int], extra: list[str]) -> dict[str, Any]:
        board = self.board
        return {
            "schema": 1,
            "elf": elf,
            "board": board.name,
            "title": board.title,
            "core": board.core,
            "machine": board.machine,
            "kernel": self.kernel,
            "flash_start": board.flash_start,
            "options": asdict(self.options),
            "task": self.bundle.manifest["task"],
            "score": model_score(self.bundle),
            "model_sha256": self._model(),
            "schema_sha256": self.bundle.manifest["schema_sha256"],
            "version": kdp_edge.__version__,
            "toolchain": self.toolchain.version(),
            "flags": [*FLAGS, *self.defines, *extra],
            "limits": asdict(board.limits),
            "files": {path.name: sha256_file(path) for path in sorted(folder.iterdir())},
            **sizes,
        }
