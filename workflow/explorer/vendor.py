"""Fetch the page's third-party scripts with npm, compare their hashes, and write vendor/README.txt.

    python workflow/explorer/vendor.py

A newer version is a new line in BUNDLES; the hash is npm's own of the whole package.
"""

import base64
import hashlib
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

VENDOR = Path(__file__).parent / "vendor"


@dataclass(frozen=True)
class Bundle:
    """A package of npm, its integrity, and the script in it that works as a plain script."""

    package: str
    version: str
    integrity: str
    script: str
    name: str
    licence: str


BUNDLES = (
    Bundle(
        "d3", "7.9.0",
        "sha512-e1U46jVP+w7Iut8Jt8ri1YsPOvFpg46k+K8TpCb0P+zjCkjkPnV7WzfDJzMHy1LnA+wj5pLT1wjO901gLXeEhA==",
        "dist/d3.min.js", "d3-7.9.0.js", "ISC",
    ),
    Bundle(
        "@observablehq/plot", "0.6.17",
        "sha512-/qaXP/7mc4MUS0s4cPPFASDRjtsWp85/TbfsciqDgU1HwYixbSbbytNuInD8AcTYC3xaxACgVX06agdfQy9W+g==",
        "dist/plot.umd.min.js", "plot-0.6.17.js", "ISC",
    ),
)  # fmt: skip


def fetch(bundle: Bundle, folder: Path) -> dict[str, bytes]:
    """The script and the licence of a package whose hash is right."""
    name = f"{bundle.package}@{bundle.version}"
    subprocess.run(["npm", "pack", "--silent", name], cwd=folder, check=True, capture_output=True)
    archive = next(folder.glob("*.tgz"))
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != bundle.integrity:
        raise SystemExit(f"{name}: its hash is {found}, not {bundle.integrity}")
    files = {}
    with tarfile.open(archive) as tar:
        for kind in (bundle.script, "LICENSE"):
            member = tar.extractfile(f"package/{kind}")
            assert member, f"{name} has no {kind}"
            files[kind] = member.read()
    archive.unlink()
    return files


def main() -> None:
    """Write the scripts, their licences, and what and whence they are."""
    VENDOR.mkdir(exist_ok=True)
    lines = ["Third-party scripts of the explorer, unchanged; written by vendor.py.", ""]
    with TemporaryDirectory() as folder:
        for bundle in BUNDLES:
            files = fetch(bundle, Path(folder))
            script = files[bundle.script]
            (VENDOR / bundle.name).write_bytes(script)
            stem = bundle.name.removesuffix(".js")
            (VENDOR / f"{stem}-LICENSE.txt").write_bytes(files["LICENSE"])
            lines += [
                f"{bundle.name}",
                f"  package  {bundle.package} {bundle.version}, {bundle.script}",
                f"  sha256   {hashlib.sha256(script).hexdigest()}",
                f"  licence  {bundle.licence}, {stem}-LICENSE.txt",
                "",
            ]
    (VENDOR / "README.txt").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
