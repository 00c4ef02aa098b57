# Explorer: a page in which people see and hear the results, with its data beside it.
#   needs    everything that `all` makes
#   makes    results/explorer/index.html


rule write_explorer:
    """The page and its data in one folder, which opens from a disk, without a server."""
    input:
        lambda wildcards: rules.all.input,
        config="results/config.yaml",
    output:
        explorer=directory("results/explorer"),
    log:
        "logs/write_explorer.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        tables=lambda wildcards, input: [
            path for path in input if Path(path).match("results/tables/*.parquet")
        ],
        page=hash_folder(ROOT / "workflow/explorer"),
        code=code("write_explorer.py"),
    shell:
        "rasen core write_explorer.py --tables {params.tables} --config {input.config}"
        " --benchmarks results/benchmarks --explorer {output.explorer} > {log} 2>&1"


rule explorer:
    """The page."""
    input:
        "results/explorer",
