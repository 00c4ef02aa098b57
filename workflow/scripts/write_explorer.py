"""Write the explorer: a page and its data, in one folder that opens without a server."""

from itertools import chain
from pathlib import Path

import yaml

from rasen import command
from rasen.explorer import overview
from rasen.explorer.contract import read_contract
from rasen.explorer.folder import name_of, write_folder
from rasen.explorer.sounds import copied_files
from rasen.explorer.subjects import parts_of_subjects

PAGE = Path(__file__).resolve().parents[1] / "explorer"


def write_explorer(tables: list[Path], config: Path, benchmarks: Path, explorer: Path):
    """Write what these tables hold; `benchmarks`: folder of the times of jobs."""
    named = {name_of(path, explorer.parent): path for path in tables}
    contract = read_contract(PAGE)
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    times = sorted(benchmarks.glob("**/*.tsv"))
    parts = chain(
        overview.parts(named, contract, settings, times), parts_of_subjects(named, contract)
    )
    write_folder(explorer, PAGE, parts, copied_files(named))


if __name__ == "__main__":
    command.run(write_explorer)
