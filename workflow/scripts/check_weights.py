"""Certify a checkpoint."""

import json
from pathlib import Path

from rasen import command
from rasen.io.atomic import write_text
from rasen.weights.certify import certify


def check_weights(folder: Path, reader: str, expected: dict, certificate: Path):
    """Refuse a damaged checkpoint; write the hashes and sizes of a sound one as JSON."""
    write_text(certificate, json.dumps(certify(folder, reader, expected), indent=2) + "\n")


if __name__ == "__main__":
    command.run(check_weights)
