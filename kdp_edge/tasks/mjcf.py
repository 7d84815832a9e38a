# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A MuJoCo model (MJCF) with every file that it includes, as it travels: one archive beside the robot file.

Read without a simulator. A model from outside can name any file of this computer, so what travels are files
in or below the folder of its XML only.
"""

from __future__ import annotations

import hashlib
import io
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kdp_edge.base.errors import KdpError

ARCHIVE = "plant.zip"  # beside a stored robot file; its first entry is the model, the others are its files
LARGEST = 256 << 20  # bytes of all files together
MOST_FILES = 2000
DEEPEST = 8  # includes within includes
FOLDERS = ("assetdir", "meshdir", "texturedir")  # of <compiler>: where named files lie
REFUSED = {"plugin": "plugins run code of their own", "extension": "plugins run code of their own"}
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the time of every entry: the same files give the same bytes


@dataclass(frozen=True)
class Model:
    """Files by their path, the XML itself first."""

    files: tuple[tuple[str, bytes], ...]

    @property
    def main(self) -> str:
        """Name of the XML."""
        return self.files[0][0]

    def sha256(self) -> str:
        """Hash of names and contents."""
        digest = hashlib.sha256()
        for name, content in self.files:
            digest.update(f"{name}\n{len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()

    def archive(self) -> bytes:
        """The ZIP file of the model: not compressed, no times, so equal models are equal bytes."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, content in self.files:
                archive.writestr(zipfile.ZipInfo(name, LONG_AGO), content)
        return stream.getvalue()

    def unpack(self, folder: Path) -> Path:
        """Write the files into an empty folder; returns the XML's path."""
        for name, content in self.files:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return folder / self.main


def read_model(path: Path) -> Model:
    """A model from its XML, or from an archive that `Model.archive` made.

    Raises:
        KdpError: no such file, no MJCF, a plugin, too much, or a file outside the XML's folder.
    """
    try:
        if zipfile.is_zipfile(path):
            files = _unzipped(path)
            return _complete(path, files[0][0], dict(files))
        return _complete(path, path.name, _Folder(path.parent))
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise KdpError(f"{path}: no readable MuJoCo model ({error})") from None


class _Folder(dict[str, bytes]):
    """Files below a folder, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._read = folder, 0

    def get(self, name: str, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
        file = self._folder / name
        if not file.is_file():
            return default
        self._read += file.stat().st_size
        if self._read > LARGEST:
            raise KdpError(
                f"{file}: the model and its files are more than {LARGEST >> 20} MiB; leave some out"
            )
        return file.read_bytes()


def _unzipped(path: Path) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        size = sum(entry.file_size for entry in entries)
        if not entries or len(entries) > MOST_FILES or size > LARGEST:
            raise KdpError(
                f"{path}: {len(entries)} files of {size} bytes; expected 1 to {MOST_FILES} files of "
                f"{LARGEST >> 20} MiB together, the model's XML first"
            )
        return [(_inside(path, entry.filename), archive.read(entry)) for entry in entries]


def _complete(path: Path, main: str, there: dict[str, bytes]) -> Model:
    """The model called `main` with the files of `there` that it names, includes and theirs as well."""
    found: dict[str, bytes] = {}
    waiting = [(main, 0)]
    folders: set[str] = {""}
    named: list[str] = []
    while waiting:
        name, depth = waiting.pop(0)
        if name in found:
            continue
        content = there.get(name)
        if content is None or depth > DEEPEST:
            raise KdpError(f"{path}: {'includes too deep at' if content else 'no such file:'} {name}")
        found[name] = content
        root = _parsed(content, f"{path}" if name == main else f"{path}: {name}")
        for element in root.iter():
            _check_element(element, path)
            if element.tag == "compiler":
                folders |= {_inside(path, element.get(one, "")) for one in FOLDERS}
            for attribute, value in element.attrib.items():
                if attribute.startswith("file") and element.tag in ("include", "model"):
                    waiting.append((_inside(path, value), depth + 1))
                elif attribute.startswith("file"):
                    named.append(_inside(path, value))
    for name in dict.fromkeys(named):
        places = dict.fromkeys(str(PurePosixPath(folder, name)) for folder in sorted(folders))
        contents = {place: content for place in places if (content := there.get(place)) is not None}
        if not contents:
            raise KdpError(
                f"{path}: the model names the file '{name}', which is not in {' or '.join(places)}"
            )
        found |= contents
        if len(found) > MOST_FILES:
            raise KdpError(f"{path}: the model names more than {MOST_FILES} files; leave some out")
    first = found.pop(main)
    return Model(((main, first), *sorted(found.items())))


def _parsed(content: bytes, where: str) -> ET.Element:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise KdpError(f"{where}: it declares entities of its own (<!DOCTYPE, <!ENTITY), which no MJCF needs")
    try:
        root = ET.fromstring(content)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise KdpError(f"{where}: not an MJCF file ({error})") from None
    if root.tag not in ("mujoco", "mujocoinclude"):
        raise KdpError(
            f"{where}: its root is <{root.tag}>, expected <mujoco>; MuJoCo's compiler makes MJCF of URDF"
        )
    return root


def _check_element(element: ET.Element, path: Path) -> None:
    if (why := REFUSED.get(element.tag)) is not None:
        raise KdpError(
            f"{path}: element <{element.tag}>: {why}, and a model may come from anywhere; leave it out"
        )


def _inside(path: Path, name: str) -> str:
    """A path of the model, normalised; nothing of it may lie outside the XML's folder."""
    plain = PurePosixPath(name.replace("\\", "/"))
    if plain.is_absolute() or ".." in plain.parts or ":" in name or not name.isprintable():
        raise KdpError(
            f"{path}: the model names '{name}', outside its own folder; what travels with a robot lies in or "
            "below it: copy that there, and write the path from the XML"
        )
    return "" if str(plain) == "." else str(plain)
