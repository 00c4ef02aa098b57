"""Unpack an archive of `snakemake share` that somebody else made: all of it is checked first.

Only files that the workflow packs are taken (rasen.study.shared_files), and configs and sheets; a
name that leaves the folder, a link, a damaged or unlisted file, or a config or profile that runs
code refuses the whole archive, and nothing is left behind.
"""

import hashlib
import lzma
import shutil
import sqlite3
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from rasen.errors import RasenError, raise_all, short
from rasen.study.archive import MANIFEST, METADATA
from rasen.study.config_file import require_plain
from rasen.study.shared_files import ASKED, DATABASE, group_of, is_odd

SETTINGS = (".yaml", ".yml", ".json", ".tsv", ".csv", ".jsonl", ".txt")  # configs and sheets
CONFIGS = (".yaml", ".yml", ".json")
# What a run would execute, `default` among it: Snakemake takes a profile there, too.
NOT_OURS = ("profiles", "default", "workflow", "rules", "slurm", "cluster", "envs")
LARGEST_LIST = 100_000_000  # bytes of the list of checksums
DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, ValueError, EOFError, OSError, RuntimeError,
)  # fmt: skip


def open_archive(archive: Path, folder: Path) -> None:
    """Unpack `archive` into `folder`, which must be new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RasenError(f"{folder}: is not empty; name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        packed = zipfile.ZipFile(archive)
    except DAMAGED as error:
        raise RasenError(f"{archive}: is not a whole zip archive ({error}); get it again") from None
    with packed, TemporaryDirectory(dir=folder.parent, prefix=".opening-") as temporary:
        raise_all(_wrong_names(packed), heading=f"{archive}: is refused")
        _require_room(packed, folder.parent, archive)
        target = Path(temporary) / "study"
        raise_all(_unpack(packed, target), heading=f"{archive}: is refused")
        configs = (path for path in target.rglob("*") if path.suffix.lower() in CONFIGS)
        ours = (path.relative_to(target).as_posix() for path in configs)
        require_plain(sorted(target / path for path in ours if not _made_by_rule(path)))
        raise_all(_wrong_records(target / DATABASE), heading=f"{archive}: is refused")
        if folder.exists():
            folder.rmdir()
        target.rename(folder)


def paths_outside(settings: Any) -> Iterator[str]:
    """Values of a config that name files outside of the working directory."""
    if isinstance(settings, Mapping):
        for value in settings.values():
            yield from paths_outside(value)
    elif isinstance(settings, list):
        for value in settings:
            yield from paths_outside(value)
    elif isinstance(settings, str):
        parts = PurePosixPath(settings).parts
        if parts and (parts[0].startswith(("/", "~")) or ".." in parts):
            yield settings


def config_of(folder: Path) -> dict[str, Any]:
    """The config in an unpacked folder, unchecked; {} for none."""
    path = folder / "config/config.yaml"
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise RasenError(f"{path}: {error}") from None
    return content if isinstance(content, dict) else {}


def _wrong_names(packed):
    """What is wrong with the list of files, a line each."""
    names = Counter(packed.namelist())
    yield from (f"'{short(name)}': occurs twice" for name, count in names.items() if count > 1)
    for entry in packed.infolist():
        if problem := _wrong_name(entry):
            yield f"'{short(entry.filename)}': {problem}"
    for needed in (MANIFEST, METADATA):
        if needed not in names:
            yield f"{needed}: is missing; only archives of `snakemake share` can be opened"


def _made_by_rule(name):
    """Whether it is a file of the results; a config of theirs is one like any other."""
    return (name.startswith("results/") and name != "results/config.yaml") or name == METADATA


def _wrong_name(entry):
    name, mode = entry.filename, entry.external_attr >> 16
    path = PurePosixPath(name)
    if is_odd(name):
        return "a name with characters that no file of ours has"
    if path.is_absolute() or ".." in path.parts or str(path) != name:
        return "a path that may leave the folder"
    if entry.is_dir() or (mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG)):
        return "a link or a folder, not a file"
    if name in (MANIFEST, METADATA) or group_of(name) in ("", *ASKED):
        return None
    if path.parts[0] == "results":
        return "not a file that `snakemake share` packs"
    hidden = any(part.startswith(".") for part in path.parts)
    if hidden or path.parts[0].lower() in NOT_OURS or path.suffix.lower() not in SETTINGS:
        return "neither a config nor a sheet"
    return None


def _require_room(packed, folder, archive):
    """Refuse what would fill the disk, before anything is written."""
    needed = sum(entry.file_size for entry in packed.infolist())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise RasenError(
            f"{archive}: unpacked it has {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        )


def _unpack(packed, target):
    """Write every file, and tell those that are not as the list of checksums says."""
    if packed.getinfo(MANIFEST).file_size > LARGEST_LIST:
        return [f"{MANIFEST}: is too large for a list of checksums"]
    try:
        lines = packed.read(MANIFEST).decode().splitlines()
        said = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except DAMAGED as error:
        return [f"{MANIFEST}: cannot be read ({error})"]
    problems = []
    for entry in packed.infolist():
        path = target / entry.filename
        digest = hashlib.sha256()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(entry) as stream, path.open("wb") as sink:
                while block := stream.read(1 << 20):
                    digest.update(block)
                    sink.write(block)
        except DAMAGED as error:
            why = error.strerror if isinstance(error, OSError) else error
            problems.append(f"{entry.filename}: cannot be unpacked ({why})")
            continue
        if entry.filename in (MANIFEST, METADATA):
            continue
        if said.pop(entry.filename, None) != digest.hexdigest():
            problems.append(f"{entry.filename}: is not as {MANIFEST} says")
    return problems + [f"{name}: is missing" for name in said]


def _wrong_records(database):
    """Records are rows: a database with rules of its own (triggers, views) is refused."""
    if not database.exists():
        return
    try:
        with closing(
            sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
        ) as records:
            made = records.execute("SELECT type, name FROM sqlite_master").fetchall()
            (whole,) = records.execute("PRAGMA quick_check").fetchone()
    except sqlite3.DatabaseError as error:
        yield f"{DATABASE}: is not a database ({error})"
        return
    if whole != "ok":
        yield f"{DATABASE}: is damaged ({whole})"
    for kind, name in made:
        if kind not in ("table", "index"):
            yield f"{DATABASE}: has a {kind} '{name}', which records have not"
