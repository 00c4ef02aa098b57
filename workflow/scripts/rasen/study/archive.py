"""Pack results into one archive from which another machine goes on where this one stopped.

The archive is a zip that holds a research object (RO-Crate 1.1): `ro-crate-metadata.json`
describes every file, `manifest-sha256.txt` is for `sha256sum -c`.
"""

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rasen.errors import RasenError
from rasen.io.atomic import whole_file

HEAVY = (  # packed when asked for
    "results/activations/**/*.h5",
    "results/frames/**/*.h5",
    "results/inputs/**/*.h5",
    "results/sae/**/*.h5",
    "results/sae/**/*.safetensors",
    "results/shards/*.h5",
    "results/songs/*/latents*.npy",
    "results/songs/*/sketch.npy",
)
NEVER = (
    "results/export/**/*",  # weights are their owners' to share
    "results/gradient/**/*.safetensors",
    "results/songs/*/vocals.*",  # and so are recordings
    "results/songs/*/accompaniment.*",
    "results/inputs/*/*.parts/*",  # of jobs that were killed
    "results/**/*.partial",
    "results/share.zip",
)
DATABASE = "results/.provenance.sqlite"
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

    settings: {"heavy": activations and model inputs as well, "license": of the results}.
    """
    files = _chosen(settings["heavy"]) + [str(path) for path in also if _lies_here(path)]
    described = []
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


def _chosen(heavy):
    left_out = NEVER if heavy else NEVER + HEAVY
    left_out = {path for pattern in left_out for path in Path().glob(pattern)}
    files = [path for path in Path("results").rglob("*") if path.is_file()]
    names = [path.as_posix() for path in files if path not in left_out]
    if not names:
        raise RasenError("results/: there is nothing to share; run snakemake first")
    return [name for name in names if not name.startswith(DATABASE + "-")]  # SQLite's journals


def _lies_here(path):
    return not Path(path).is_absolute() and ".." not in Path(path).parts and Path(path).is_file()


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
