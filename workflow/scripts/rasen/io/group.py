"""Results that a group shares: what one makes the others can go on with."""

import os
import stat
from pathlib import Path


def keep_group_rights(folder: Path | str) -> None:
    """Where `folder` is the group's (chmod g+ws), files of this process and its jobs are, too.

    A umask such as 077 would lock the others out of what they share.
    """
    mode = Path(folder).stat().st_mode
    if mode & stat.S_ISGID and mode & stat.S_IWGRP:
        os.umask(os.umask(0o077) & ~stat.S_IRWXG)
