"""Write results/README.md: files, columns, units, and how to load them (rasen.dictionary).

workflow/py core write_readme.py --readme docs/results.md      the same page in the docs
"""

from pathlib import Path

from rasen import command
from rasen.dictionary.page import page
from rasen.io.atomic import write_text


def write_readme(readme: Path):
    """Write the page."""
    write_text(readme, page())


if __name__ == "__main__":
    command.run(write_readme)
