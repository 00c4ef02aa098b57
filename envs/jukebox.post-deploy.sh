#!/usr/bin/env bash
# Snakemake's own hook for conda users: the same pins as everybody's, nothing resolved.
set -euo pipefail
pins=$(dirname "$0")/jukebox.txt
python -m pip install --quiet -c "$pins" "$(grep '^torch==' "$pins")"
python -m pip install --quiet --no-deps -r "$pins"
