"""How long a job takes to start: forked from a warm Python, and plainly.

A script imports the family MusicGen and the measuring of perplexity, and does nothing.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from rows import Rows, in_turn

CLIENT = HERE.parent / "workflow/warm/client.py"
SCRIPTS = HERE.parent / "workflow/scripts"
SCRIPT = f"""import sys
sys.path[0] = {str(SCRIPTS)!r}
import measure_perplexity, rasen.families.musicgen
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    rows = Rows()
    with TemporaryDirectory() as folder:
        script = Path(folder) / "job.py"
        script.write_text(SCRIPT)
        command = [sys.executable, "-I", "-S", CLIENT, sys.executable, script]

        def start(**variables: str) -> None:
            subprocess.run(command, env=os.environ | variables, check=True)

        def warm() -> None:
            start(RASEN_WARM=f"{folder}/warm:{os.getpid()}")

        with rows.attempt("start of a job: warm / plain"):
            warm()  # imports what the next ones find
            forked, plain = in_turn(arguments.repeats, warm, lambda: start(RASEN_WARM="no"))
            rows.add("start of a job: plain", plain, "s")
            rows.add("start of a job: warm / plain", forked / plain, target=0.15, at_most=True)


if __name__ == "__main__":
    main()
