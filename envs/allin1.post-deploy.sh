#!/usr/bin/env bash
# Snakemake's own hook for conda users: the same pins as everybody's, nothing resolved. A copy of it
# is run, so the checkout's place comes from rules/common.smk.
exec "$RASEN_CHECKOUT/workflow/install-pins" python allin1
