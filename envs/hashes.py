"""Write envs/pins.sha256: the SHA-256 of every file that the index has of every pin (`make pins`).

Of all platforms, so that any of them installs what was pinned here; workflow/install-pins refuses
other files. Pins that have their hashes keep them. Run in the test environment: it has pip-tools.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from pip._internal.req.constructors import install_req_from_line
from piptools.repositories import PyPIRepository

ENVS = Path(__file__).parent
HASHES = ENVS / "pins.sha256"
BUILDS = {"torch", "torchaudio", "torchcodec"}  # see workflow/install-pins


def pins() -> list[str]:
    """Every pin of every environment once, its name as PyPI writes it."""
    found = set()
    for file in ENVS.glob("*.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, _, version = "".join(line.split("#")[0].split()).partition("==")
            name = re.sub(r"[-_.]+", "-", name).lower()
            if name and name not in BUILDS:
                found.add(f"{name}=={version}")
    return sorted(found)


def known() -> dict[str, list[str]]:
    """{pin: its hashes} of the file as it is."""
    blocks = re.split(r"\n(?=\S)", HASHES.read_text(encoding="utf-8")) if HASHES.exists() else []
    return {block.split()[0]: re.findall(r"--hash=(\S+)", block) for block in blocks}


def main() -> None:
    """Ask the index for the hashes of new pins; leave out those of old ones."""
    hashes, lines = known(), []
    with TemporaryDirectory() as cache:
        repository = PyPIRepository([], cache_dir=cache)
        for pin in pins():
            if pin not in hashes:
                with repository.allow_all_wheels():
                    hashes[pin] = sorted(repository.get_hashes(install_req_from_line(pin)))
            lines.append(" \\\n".join([pin, *(f"    --hash={each}" for each in hashes[pin])]))
    HASHES.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
