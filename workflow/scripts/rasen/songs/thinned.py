"""Stems that were recompressed or deleted on purpose (`songs.stems`), known by a marker.

The receipt and the ledger of the separation go on listing the files that it wrote. The marker in
the song's folder says what has become of them, so nothing is separated again because they are gone.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from rasen.errors import RasenError
from rasen.io.atomic import write_text

MARKER = ".stems.json"  # {"policy", "of": {file: bytes} listed, "files": {file: bytes} now}


def recompressed(name: str) -> str:
    """The file that a listed stem is recompressed to."""
    return Path(name).stem + ".opus"


def write_marker(
    folder: Path | str, policy: Literal["opus", "delete"], of: Mapping[str, int],
    files: Iterable[str],
) -> None:  # fmt: skip
    """Say that the listed files `of` (with their sizes) are now `files`, which are in `folder`."""
    sizes = {name: (Path(folder) / name).stat().st_size for name in files}
    text = json.dumps({"policy": policy, "of": dict(of), "files": sizes})
    write_text(Path(folder) / MARKER, text)


def read_marker(folder: Path | str) -> dict[str, Any] | None:
    """The marker of a song whose stems were thinned; None where there is none that holds."""
    marker = _marker(folder)
    try:
        sizes = {name: (Path(folder) / name).stat().st_size for name in marker["files"]}
    except (FileNotFoundError, KeyError):
        return None
    return marker if sizes == marker["files"] else None


def _marker(folder):
    """The marker as it is written, whether it holds or not; {} without one."""
    try:
        return json.loads((Path(folder) / MARKER).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return {}


def is_thinned(folder: Path | str, name: str, size: int) -> bool:
    """Whether a file of this size was recompressed or deleted on purpose."""
    marker = read_marker(folder)
    return marker is not None and marker["of"].get(name) == size


def forget(folder: Path | str, names: Iterable[str]) -> None:
    """Remove what these files were thinned to, and the marker that says so."""
    names = list(names)
    if not set(names).isdisjoint(_marker(folder).get("of", ())):
        (Path(folder) / MARKER).unlink()
    for name in names:
        (Path(folder) / recompressed(name)).unlink(missing_ok=True)


def check_present(folder: Path | str, songs: Iterable[str]) -> None:
    """Raise when the stems of songs that are about to be read were deleted.

    folder: of the songs' folders
    """
    gone = [
        song
        for song in songs
        if (marker := read_marker(Path(folder) / song)) and marker["policy"] == "delete"
    ]
    if gone:
        some = ", ".join(gone[:5]) + ", ..." * (len(gone) > 5)
        raise RasenError(
            f"the stems of {some} ({len(gone)} in this batch) are needed again, because lyrics, "
            "settings or code have changed, and were deleted (`songs.stems: delete`); delete "
            f"{Path(folder) / gone[0] / MARKER} (of all songs: find {folder} -name {MARKER} "
            "-delete) and run snakemake songs --forcerun separate_stems"
        )
