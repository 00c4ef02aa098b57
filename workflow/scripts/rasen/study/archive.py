"""Pack results into one archive from which another machine goes on where this one stopped.

The archive is a zip that holds a research object (RO-Crate 1.1): `ro-crate-metadata.json`
describes every file, `manifest-sha256.txt` is for `sha256sum -c`.
"""

import hashlib
import json
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rasen.errors import SHOWN, RasenError, short
from rasen.io.atomic import whole_file
from rasen.study.shared_files import ASKED, DATABASE, KEPT, group_of, is_odd

OURS = ("results/share.zip", f"{DATABASE}-journal", f"{DATABASE}-wal", f"{DATABASE}-shm")
NAMESPACE = "rasen"  # under which Snakemake files its records, in whatever folder they lie
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every file alike, so that none is newer than another
METADATA, MANIFEST = "ro-crate-metadata.json", "manifest-sha256.txt"
TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".h5": "application/x-hdf5",
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".sqlite": "application/vnd.sqlite3",
    ".tsv": "text/tab-separated-values",
}


def pack_archive(
    archive: Path | str, settings: Mapping[str, Any], also: Iterable[Path] = (), version: str = ""
) -> None:
    """Zip the results below the working directory, and the files `also` that lie there too.

    settings: {"with": names of shared_files.ASKED, "license": of the results}.
    Prints what is packed and what is not.
    """
    chosen, left = _chosen(settings["with"])
    files = chosen + [str(path) for path in also if _lies_here(path)]
    described: list[tuple[str, int, str]] = []
    with (
        TemporaryDirectory() as folder,
        whole_file(archive) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for name in sorted(set(files)):
            source = _without_place(name, folder) if name == DATABASE else name
            described.append((name, *_add(target, name, source)))
        lines = "".join(f"{digest}  {name}\n" for name, _, digest in described)
        target.writestr(zipfile.ZipInfo(MANIFEST, LONG_AGO), lines)
        crate = json.dumps(
            _crate(described, settings["license"], version), indent=1, ensure_ascii=False
        )
        target.writestr(zipfile.ZipInfo(METADATA, LONG_AGO), crate)
    _tell(described, left)


def _chosen(asked):
    """Names that are packed, and those of other files below results/, each with the reason."""
    chosen, left = [], {}
    for path in sorted(Path("results").rglob("*")):
        name = path.as_posix()
        if path.is_symlink() or not path.resolve().is_relative_to(Path("results").resolve()):
            left[name] = "a link"
        elif path.is_dir() or name in OURS:
            continue
        elif not path.is_file():
            left[name] = "not a file"
        elif is_odd(name):
            left[name] = "a name with characters that an archive must not have"
        elif (group := group_of(name)) in ("", *asked):
            chosen.append(name)
        elif path.name != ".snakemake_timestamp":
            left[name] = group or "not a file of the workflow's"
    if not chosen:
        raise RasenError("results/: there is nothing to share; run snakemake first")
    return chosen, left


def _tell(described, left):
    """What was packed and how large, folder by folder, and what was not."""
    sizes: dict[str, list[int]] = {}
    for name, size, _ in described:
        parts = name.split("/")
        folder = "/".join(parts[:2]) + "/" if len(parts) > 2 else name
        sizes.setdefault(folder, []).append(size)
    print(f"packed: {len(described)} files, {_size(sum(size for _, size, _ in described))}")
    for folder, of_files in sorted(sizes.items()):
        count = f"{len(of_files)} files, " if folder.endswith("/") else ""
        print(f"  {folder:<28} {count}{_size(sum(of_files))}")
    for group, count in sorted(Counter(left.values()).items()):
        if group in ASKED:
            print(f"not packed: {group}, {count} files; `share: {{with: [{group}]}}` packs them")
        elif group in KEPT:
            print(f"never packed: {group}, {count} files")
    others = [name for name, reason in left.items() if reason not in (*ASKED, *KEPT)]
    for name in others[:SHOWN]:
        print(f"not packed: {short(name)} ({left[name]})")
    if len(others) > SHOWN:
        print(f"not packed: {len(others) - SHOWN} more such files")


def _size(count):
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _lies_here(path):
    """Whether it is a file below the working directory, not a link to somewhere else."""
    path, here = Path(path), Path().resolve()
    return not path.is_absolute() and path.is_file() and path.resolve() == here / path


def _without_place(database, folder):
    """A consistent copy of Snakemake's records, without this machine's paths and locks."""
    copy = Path(folder) / "provenance.sqlite"
    with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(copy)) as mine:
        live.backup(mine)
        for table in ("snakemake_locks", "snakemake_persistence_db_settings"):
            mine.execute(f"DELETE FROM {table}")
        mine.execute("DELETE FROM snakemake_metadata WHERE incomplete")
        mine.execute("UPDATE snakemake_metadata SET external_jobid = NULL")
        mine.commit()
        mine.execute("VACUUM")
    return copy


def _add(target, name, source):
    """Put one file into the archive: (bytes, SHA-256)."""
    size, digest = 0, hashlib.sha256()
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o664 << 16
    with open(source, "rb") as stream, target.open(entry, "w", force_zip64=True) as sink:
        while block := stream.read(1 << 20):
            sink.write(block)
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _crate(files, license, version):
    """RO-Crate metadata of (name, bytes, sha256) triples."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    tables = [name for name, *_ in files if name.startswith("results/tables/")]
    parts = [
        {
            "@id": name,
            "@type": "File",
            "name": name,
            "encodingFormat": TYPES.get(Path(name).suffix, "text/plain"),
            "contentSize": str(size),
            "sha256": digest,
        }
        for name, size, digest in files
    ]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": "Results of Rasen",
        "description": "Tables, figures and records of music models along routes through weight "
        "space. results/README.md says what lies where.",
        "datePublished": now,
        "license": license,
        "hasPart": [{"@id": name} for name, *_ in files],
        "mentions": {"@id": "#run"},
    }
    run = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": "A run of Rasen",
        "endTime": now,
        "instrument": {"@id": "#rasen"},
        "object": {"@id": "results/config.yaml"},
        "result": [{"@id": name} for name in tables],
    }
    program = {
        "@id": "#rasen",
        "@type": "SoftwareApplication",
        "name": "Rasen",
        "softwareVersion": version,
    }
    about = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    context = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
    return {"@context": context, "@graph": [about, root, run, program, *parts]}
