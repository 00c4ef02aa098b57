"""Certify a checkpoint."""

import json
from pathlib import Path

from rasen import command
from rasen.io.atomic import write_text
from rasen.weights.certify import certify
from rasen.weights.kept import keep_hashes


def check_weights(
    folder: Path, reader: str, expected: dict, own: dict, files: dict, certificate: Path, kept: Path
):
    """Refuse a damaged checkpoint; write the hashes and sizes of a sound one as JSON.

    own: hashes of the user's folders that it rests on, written too. files: {folder: patterns} of
    all that it rests on, whose hashes are kept for later runs.
    """
    sound = certify(folder, reader, expected) | {"own": own}
    keep_hashes(kept, files)
    write_text(certificate, json.dumps(sound, indent=2) + "\n")


if __name__ == "__main__":
    command.run(check_weights)
