"""Certify a checkpoint."""

import json
from pathlib import Path

from rasen import command
from rasen.io.atomic import write_text
from rasen.weights.certify import certify


def check_weights(folder: Path, reader: str, expected: dict, own: dict, certificate: Path):
    """Refuse a damaged checkpoint; write the hashes and sizes of a sound one as JSON.

    own: hashes of the user's folders that it rests on, written too
    """
    sound = certify(folder, reader, expected) | {"own": own}
    write_text(certificate, json.dumps(sound, indent=2) + "\n")


if __name__ == "__main__":
    command.run(check_weights)
