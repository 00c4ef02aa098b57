"""The explorer's folder: the page and its data as script files, whole or absent."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rasen.explorer.contract import check_part, read_contract
from rasen.explorer.packing import pack
from rasen.explorer.part import Part

PAGE = ("index.html", "*.css", "js/**/*.js", "vendor/*.js", "vendor/*.txt")


def name_of(path: Path, results: Path) -> str:
    """helix, of tables/helix.parquet; of tables elsewhere in the results stimuli/notes, ..."""
    return path.relative_to(results).with_suffix("").as_posix().removeprefix("tables/")


def write_folder(
    folder: Path, page: Path, parts: Iterable[Part], files: Mapping[str, Path] | None = None
) -> None:
    """Copy the page and write every part beside it; the folder appears complete or not at all.

    page: workflow/explorer, with contract.json;  files: {name in the folder: what it is}
    """
    contract = read_contract(page)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _copy_page(page, partial)
        index: dict[str, list[dict[str, Any]]] = {}
        for part in parts:
            check_part(contract, part)
            known = index.setdefault(part.name, [])
            _write_part(partial, contract, part, len(known))
            known.append(dict(part.of))
        for name, source in (files or {}).items():
            _link(source, partial / name)
        _write_script(partial / "data/contract.js", "contract", 0, contract)
        _write_script(partial / "data/index.js", "index", 0, index)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _copy_page(page, folder):
    for pattern in PAGE:
        for source in sorted(page.glob(pattern)):
            target = folder / source.relative_to(page)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _link(source, target):
    """The same file twice where the disk can, a copy where it cannot."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _write_part(folder, contract, part, number):
    """One file; numbered, since names of models and routes are not names of files."""
    kinds = contract[part.name].get("columns", {})
    columns = {name: pack(kinds[name]["type"], array) for name, array in part.columns.items()}
    data = {"sizes": dict(part.sizes), "values": dict(part.values), "columns": columns}
    _write_script(folder / f"data/{part.name}/{number}.js", part.name, number, data)


def _write_script(path, name, number, data):
    """`put(name, number, data)`: scripts are all that a page may load from file://."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    # U+2028 and U+2029 are escaped by json.dumps, as is all that is not ASCII.
    path.write_text(f"rasen.put({json.dumps(name)},{number},{text});\n", encoding="ascii")
