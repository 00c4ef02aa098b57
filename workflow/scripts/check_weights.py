"""Certify a checkpoint."""

import json
from pathlib import Path

from rasen import command, store
from rasen.families import FAMILIES
from rasen.weights.certify import certify


def check_weights(folder: Path, family: str, expected: dict, certificate: Path):
    """Refuse a damaged checkpoint; write the hashes and sizes of a sound one as JSON."""
    found = certify(folder, FAMILIES[family].files, expected)
    store.write_text(certificate, json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    command.run(check_weights)
