"""Errors that a user reads: they name the thing, say why, and give the cure."""


class RasenError(Exception):
    """A mistake in the input, told in one or a few plain lines (never shown as a traceback)."""


SHOWN = 20  # problems named in one message
CURE = "delete it and run snakemake again"  # of a file that the workflow makes


def one_error(problems, heading="", shown=SHOWN):
    """All `problems` (strings) as one RasenError, or None when there are none."""
    problems = list(problems)
    if len(problems) > shown:
        problems = [*problems[:shown], f"and {len(problems) - shown} more"]
    if not problems:
        return None
    if len(problems) == 1 and not heading:
        return RasenError(problems[0])
    lines = [heading] if heading else []
    return RasenError("\n".join(lines + [f"  {problem}" for problem in problems]))
