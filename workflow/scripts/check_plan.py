"""Check that a script is what this run was planned with; the launcher asks if a file is newer."""

from pathlib import Path

from rasen import command
from rasen.study.planned import read_plan, require_same_code


def check_plan(plan: Path, script: str) -> None:
    """Refuse to go on with a script that was edited, or imports what was."""
    if planned := read_plan(plan):
        require_same_code(planned, plan, script)


if __name__ == "__main__":
    command.run(check_plan)
