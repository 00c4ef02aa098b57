"""Checkpoints from the Hugging Face hub: only what is needed, whole or not at all."""

import json
import shutil
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from rasen.errors import RasenError
from rasen.study.checkpoints import PLAIN, hub_id


def fetch(weights: str, folder: Path | str, uses: Sequence[Sequence[str]]) -> None:
    """Download the hub id `weights` (owner/name or owner/name@revision) into `folder`.

    uses: patterns of the files that hold weights, for each use of the repository. Of these only the
    first that the repository has is downloaded. Where the hub is out of reach, the checkpoint is
    copied from the hub's cache on this machine, if it is there. A download that breaks off goes on
    the next time: until it is whole it lies beside `folder`, which Snakemake would delete.
    """
    from huggingface_hub import list_repo_files, snapshot_download

    hub = hub_id(weights)
    if hub is None:
        raise RasenError(f"{weights}: is a folder here, there is nothing to download")
    name, revision = hub
    folder = Path(folder)
    begun = folder.with_name(f".{folder.name}.download")
    try:
        names = list_repo_files(name, revision=revision)
        best = [_best(preferred, names) or preferred[0] for preferred in uses]
        begun.mkdir(parents=True, exist_ok=True)
        snapshot_download(
            name,
            revision=revision,
            local_dir=begun,
            allow_patterns=[*PLAIN, *best],
            ignore_patterns=["*/*"],
        )
    except Exception as error:  # the hub's, the network's and the disk's errors have no common type
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if cached := _cached(name, revision, uses):
            print(f"{weights}: the hub is out of reach ({reason}); copied from its cache")
            _copy(cached, folder)
            shutil.rmtree(begun, ignore_errors=True)
            return
        partly = f"run again to go on with what is in {begun}, " if begun.exists() else ""
        raise RasenError(
            f"{weights}: neither a folder here nor to be had from the hub ({reason}) or its cache; "
            f"{partly}correct `weights`, or copy the checkpoint to {folder}"
        ) from None
    shutil.rmtree(folder, ignore_errors=True)
    begun.replace(folder)


def _best(preferred: Sequence[str], names: Iterable[str]) -> str | None:
    """The first of the patterns that some of the files match."""
    files = [Path(name) for name in names]
    return next((p for p in preferred if any(file.match(p) for file in files)), None)


def _cached(name: str, revision: str | None, uses: Sequence[Sequence[str]]) -> list[Path]:
    """The files of a checkpoint in the hub's cache; none where some of the weights are missing."""
    from huggingface_hub import snapshot_download

    try:
        snapshot = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except Exception:  # not in the cache, or not all of it
        return []
    files = [path for path in snapshot.iterdir() if path.is_file()]
    found = [_best(preferred, [path.name for path in files]) for preferred in uses]
    best = [pattern for pattern in found if pattern]
    if len(best) < len(uses):
        return []
    for index in snapshot.glob("*.index.json"):
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if any(_fits(shard, best) and not (snapshot / shard).is_file() for shard in shards):
            return []
    return [path for path in files if _fits(path.name, (*PLAIN, *best))]


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, each) for each in patterns)


def _copy(files: Iterable[Path], folder: Path) -> None:
    """Copy files into a new folder, which appears when all are there."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for file in files:
        shutil.copy(file, partial)
    partial.replace(folder)
