"""Write Snakemake's report on all results."""

import subprocess
import sys
from pathlib import Path

from rasen import command
from rasen.errors import RasenError

SNAKEFILE = Path(__file__).resolve().parents[2] / "Snakefile"


def write_report(config: Path, report: Path):
    """Run Snakemake once more, on the config as used, to write one page with all figures."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", SNAKEFILE, "--configfile", config,
         "--nolock", "--report", report],
    )  # fmt: skip
    if done.returncode:
        raise RasenError(f"{report}: Snakemake could not write it; its reason stands above")


if __name__ == "__main__":
    command.run(write_report)
