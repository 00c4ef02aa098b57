"""What Snakemake says when it cannot write its records: one line in the place of SQLAlchemy's."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from rasen.study.archive import DATABASE

WRITING = (
    *("_setup_database", "_write_record", "_delete_record", "_mark_incomplete"),
    *("_unmark_incomplete", "_write_locks", "_delete_locks"),
)


def tell_why_not_written(persistence: type, refusal: type[Exception]) -> None:
    """Have `persistence` (Snakemake's, in a database) raise `refusal`s that name file and cure."""
    for name in WRITING:
        setattr(persistence, name, _told(getattr(persistence, name), refusal))


def _told(write: Callable[..., Any], refusal: type[Exception]) -> Callable[..., Any]:
    @wraps(write)
    def written(*arguments: Any, **named: Any) -> Any:
        try:
            return write(*arguments, **named)
        except Exception as error:
            cause = getattr(error, "orig", None) or error  # SQLAlchemy wraps the database's own
            if type(cause).__name__ not in ("OperationalError", "DatabaseError"):
                raise
            raise refusal(
                f"{DATABASE}: {cause}; make room or give the rights, run snakemake again "
                "(a job whose end is not recorded runs again)"
            ) from None

    return written
