"""Folders of a group keep its rights, whatever the umask."""

import os
import stat

import pytest

from rasen.io.group import keep_group_rights


@pytest.mark.parametrize(
    ("mode", "umask", "new"),
    [
        (0o2775, 0o077, 0o660),
        (0o2770, 0o022, 0o664),
        (0o2775, 0o002, 0o664),
        (0o755, 0o077, 0o600),  # not the group's
        (0o775, 0o077, 0o600),  # new files would have another group
        (0o2755, 0o022, 0o644),
    ],
)
def test_new_files_are_the_groups_where_the_folder_is(tmp_path, mode, umask, new):
    tmp_path.chmod(mode)
    before = os.umask(umask)
    try:
        keep_group_rights(tmp_path)
        (tmp_path / "file").touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == new
