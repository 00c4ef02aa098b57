"""Hashes of files by their content."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

END_BYTES = 1 << 20  # hashed at the start and at the end of a file of weights


def short_hash(text: str | bytes) -> str:
    """The first 16 hex digits of a SHA-256."""
    data = text if isinstance(text, bytes) else text.encode()
    return hashlib.sha256(data).hexdigest()[:16]


def hash_file(path: Path | str) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_if_present(path: Path | str | None) -> str:
    """`hash_file`, or "missing" where there is no such file, or "unreadable"."""
    try:
        return hash_file(path) if path and Path(path).is_file() else "missing"
    except OSError:
        return "unreadable"


def hash_folder(folder: Path | str, patterns: Sequence[str] = ("**/*",)) -> str:
    """Hash of a folder of weights, in milliseconds: names, sizes, start and end of every file.

    patterns: of the files that count
    """
    parts = []
    files = {path for pattern in patterns for path in Path(folder).glob(pattern) if path.is_file()}
    for path in sorted(files):
        size = path.stat().st_size
        with open(path, "rb") as stream:
            ends = stream.read(END_BYTES)
            stream.seek(max(0, size - END_BYTES))
            ends += stream.read(END_BYTES)
        parts.append(f"{path.relative_to(folder).as_posix()} {size} {short_hash(ends)}")
    return short_hash("\n".join(parts))
