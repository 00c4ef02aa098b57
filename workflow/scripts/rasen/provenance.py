"""Snakemake's memory of what ran, which lies in results/ and follows them to another folder.

Snakemake files every record under the absolute path of its working directory. Copied, moved or
unpacked results would have no memory, and edits of the config would go unnoticed.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from rasen.errors import RasenError

NEWEST = """
    DELETE FROM snakemake_metadata WHERE rowid NOT IN (
        SELECT rowid FROM (SELECT rowid, max(coalesce(endtime, 0)) FROM snakemake_metadata
                           GROUP BY target))
"""


def adopt(database, folder, unlock=False):
    """Make the newest record of every file in `database` one of the working directory `folder`.

    Raises while a Snakemake of another folder holds the results (they are one folder under two
    names, or were copied during a run), unless told to `unlock` them. Nothing happens to a
    database that knows no other folder, or that cannot be written.
    """
    if not Path(database).is_file():
        return
    ours = [str(Path(folder).absolute() / ".snakemake")]
    try:
        with closing(sqlite3.connect(database, timeout=60)) as connection, connection:

            def foreign(table):
                asked = f"SELECT namespace FROM {table} WHERE namespace != ? LIMIT 1"
                return connection.execute(asked, ours).fetchone()

            if unlock:
                connection.execute("DELETE FROM snakemake_locks WHERE namespace != ?", ours)
            if holder := foreign("snakemake_locks"):
                raise RasenError(
                    f"{Path(database).parent}: in use by a Snakemake that runs in "
                    f"{Path(holder[0]).parent}; wait for it, or, when it was killed or the folder "
                    "was copied meanwhile, run snakemake --unlock"
                )
            if foreign("snakemake_metadata"):
                connection.execute(NEWEST)
                connection.execute("UPDATE snakemake_metadata SET namespace = ?", ours)
    except sqlite3.OperationalError:  # read-only, or no tables yet: a dry run can do without
        return
