"""Errors that a user reads: they name the thing, say why, and give the cure."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class RasenError(Exception):
    """A mistake in the input, told in one or a few plain lines (never shown as a traceback)."""


SHOWN = 20  # problems named in one message
LONGEST = 200  # characters of a value in a message
CURE = "delete it and run snakemake again"  # of a file that the workflow makes


def raise_all(problems: Iterable[str], heading: str = "", shown: int = SHOWN) -> None:
    """Raise one RasenError that lists all `problems`; do nothing when there are none."""
    problems = list(problems)
    if problems:
        raise RasenError(as_message(problems, heading, shown))


def short(value: object) -> str:
    """What a message shows of a value from elsewhere: no control characters, not endless."""
    text = str(value)
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def as_message(problems: list[str], heading: str = "", shown: int = SHOWN) -> str:
    """A list of problems as the text of one error."""
    if len(problems) == 1 and not heading:
        return problems[0]
    if len(problems) > shown:
        problems = [*problems[:shown], f"and {len(problems) - shown} more"]
    lines = [heading] if heading else []
    return "\n".join(lines + [f"  {problem}" for problem in problems])


def suggestion(name: str, known: Sequence[str]) -> str:
    """What to write in place of an unknown name: the one most like it, or else all that exist."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
