"""Hashes of weights, kept when they are first read: a bit that flips later changes no size or date.

Planning looks at names, sizes and ends of files alone (`study/own_weights.py`). Before the first
job of a run starts, the files that its jobs will open are read once as a whole.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasen.errors import CURE, RasenError, raise_all
from rasen.io.atomic import write_text
from rasen.io.hashes import hash_file, hash_if_present

CERTIFICATE = re.compile(r"results/(weights/[^/]+/[^/]+|songbloom/[^/]+/start)\.json")
CHECKPOINT = re.compile(r"trained|step-[0-9]+")  # a model's; others are of songs and scores
READERS = 4  # files at a time: hashing one takes a core, reading one seldom a whole disk
LARGE = 1e9  # bytes from which on a run says what it waits for


@dataclass(frozen=True)
class KeptFile:
    """A file of weights as it was: size, date of its last change (ns), SHA-256."""

    bytes: int
    modified: int
    sha256: str
    path: str


def require_hashes(folder: Path, expected: Mapping[str, str]) -> None:
    """Raise when a file is not there or not the one that the config means.

    expected: {file name: SHA-256}
    """
    problems = []
    for name, digest in expected.items():
        path = folder / name
        actual = hash_file(path) if path.is_file() else "no such file"
        if actual != digest.lower():
            problems.append(f"{path}: {actual}, but the config's sha256 says {digest}")
    raise_all(
        problems,
        "not the weights that the config means; fetch them again or correct `sha256`:",
    )


def keep_hashes(record: Path | str, folders: Mapping[str, Sequence[str]]) -> list[KeptFile]:
    """Write size, date and SHA-256 of files of weights, a line each; also returned.

    folders: {folder: patterns of its files that are read}
    """
    found = {
        path
        for folder, patterns in folders.items()
        for pattern in patterns
        for path in Path(folder).glob(pattern)
        if path.is_file()
    }
    kept = []
    for path in sorted(found):
        about = path.stat()  # before it is read: a change meanwhile counts as one after
        kept.append(KeptFile(about.st_size, about.st_mtime_ns, hash_file(path), str(path)))
    _write(record, kept)
    return kept


def _write(record, kept):
    rows = [f"{each.bytes}\t{each.modified}\t{each.sha256}\t{each.path}\n" for each in kept]
    write_text(record, "".join(rows))


def record_of(certificate: Path | str) -> Path:
    """Where the hashes of a certificate's files are kept."""
    return Path(certificate).with_suffix(".tsv")


def changed_weights(
    jobs: Iterable[Any],
    forced: Callable[[Any], bool],
    folder: Callable[[str], str | None] = lambda certificate: None,
) -> list[str]:
    """A line for every file that jobs will open and whose bytes are others than those kept.

    folder: where the weights of a certificate are. Results from another machine come without the
    hashes that are kept there: then the certificate's are compared, and kept.
    Where a checkpoint will be certified anew because its files have another date, or because that
    is forced, they were exchanged on purpose.
    """
    jobs = list(jobs)
    made = {path: job for job in jobs for path in job.output if CERTIFICATE.fullmatch(path)}
    named = {path for job in jobs for path in job.input if CERTIFICATE.fullmatch(path)}
    suspects, anew = [], {}
    for certificate in sorted(named | made.keys()):
        job = made.get(certificate)
        if job and forced(job):
            continue
        rule = job.rule.name if job else _rule(certificate)
        known = list(_kept(record_of(certificate)))
        if not known and not job:
            known = anew[certificate] = list(_certified(certificate, folder(certificate)))
        suspects += [
            (kept, certificate, rule)
            for kept in known
            if (same := _same_stat(kept)) or (same is False and not job)
        ]
    sizes = {kept.path: kept.bytes for kept, _, _ in suspects}  # several may rest on one file
    total = sum(sizes.values())
    if total > LARGE:
        print(f"Reading {total / 1e9:.0f} GB of weights: are they still those of the results?")
    with ThreadPoolExecutor(READERS) as pool:
        hashes = dict(zip(sizes, pool.map(hash_if_present, sizes), strict=True))
    for certificate, files in anew.items():
        if files and all(hashes.get(each.path) == each.sha256 for each in files):
            _write(record_of(certificate), map(_as_it_is, files))
    return [
        f"{kept.path}: its bytes are not those that {certificate} was made from (a damaged disk "
        "or copy?); bring the file back (what was downloaded or made here: delete its folder), or, "
        f"if it was changed on purpose, run snakemake --forcerun {rule}"
        for kept, certificate, rule in suspects
        if hashes[kept.path] != kept.sha256
    ]


def _certified(certificate: str, folder: str | None) -> Iterator[KeptFile]:
    """The files of a certificate, with no date."""
    path = Path(certificate)
    if folder is None or not path.is_file():
        return
    said = json.loads(path.read_text(encoding="utf-8"))
    for name, digest in said["sha256"].items():
        yield KeptFile(said["bytes"][name], 0, digest, str(Path(folder) / name))


def _as_it_is(kept: KeptFile) -> KeptFile:
    about = Path(kept.path).stat()
    return KeptFile(about.st_size, about.st_mtime_ns, kept.sha256, kept.path)


def _same_stat(kept: KeptFile) -> bool | None:
    """Whether size and date of a file are those kept; None where it is not there."""
    try:
        about = Path(kept.path).stat()
    except OSError:  # what needs it says so (rasen.study.presence)
        return None
    return (about.st_size, about.st_mtime_ns) == (kept.bytes, kept.modified)


def _kept(record: Path) -> Iterator[KeptFile]:
    try:
        for line in record.read_text(encoding="utf-8").splitlines():
            size, modified, sha256, path = line.split("\t", 3)
            yield KeptFile(int(size), int(modified), sha256, path)
    except FileNotFoundError:  # not certified yet, or somewhere else
        return
    except ValueError:
        raise RasenError(f"{record}: damaged; {CURE}") from None


def _rule(certificate: str) -> str:
    """The rule that makes a certificate."""
    if certificate.startswith("results/songbloom/"):
        return "check_start"
    return "check_weights" if CHECKPOINT.fullmatch(Path(certificate).stem) else "check_song_weights"
