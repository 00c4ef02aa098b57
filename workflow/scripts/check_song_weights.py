"""Certify a model of songs or scores, whatever its format."""

import json
from pathlib import Path

from rasen import command
from rasen.errors import RasenError
from rasen.io.atomic import write_text
from rasen.weights.kept import keep_hashes, require_hashes


def check_song_weights(
    folder: Path, expected: dict, own: dict, files: dict, certificate: Path, kept: Path
):
    """Refuse a model that is not the one that the config means; write the hashes of its files.

    expected: {file name: SHA-256} of the config. own: hashes of the user's folder, written too.
    files: {folder: patterns of its files}
    """
    require_hashes(folder, expected)
    found = keep_hashes(kept, files)
    if not found:
        raise RasenError(f"{folder}: holds no files of a model; correct its path in the config")
    hashes = {
        "bytes": {Path(each.path).name: each.bytes for each in found},
        "sha256": {Path(each.path).name: each.sha256 for each in found},
        "own": own,
    }
    write_text(certificate, json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    command.run(check_song_weights)
