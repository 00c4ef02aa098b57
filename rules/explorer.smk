# Explorer: a page in which people see and hear the results, with its data beside it.
#   needs    everything that `all` makes; what else is there of songs, training runs and scores
#   makes    results/explorer/index.html    results/media/, when copies of sound are asked for


if config["explorer"]["media"] == "copy":

    rule copy_sounds:
        """Recordings, stems and generated songs as MP3; one that is there is not made again."""
        output:
            copies="results/media/copies.parquet",
        log:
            "logs/copy_sounds.log",
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=growing(4000),
            runtime=growing(240),
        params:
            made=made.sounding_tables(),
            changed=made.changed(made.sounding_tables()),
            code=code("copy_sounds.py"),
        shell:
            "rasen core copy_sounds.py --tables {params.made} --copies {output.copies}"
            " > {log} 2>&1"


rule write_explorer:
    """The page and its data in one folder, which opens from a disk, without a server."""
    input:
        lambda wildcards: rules.all.input,
        per_sae_layer("results/sae/{model}/{point}/layer-{layer}/top_clips.parquet"),
        targets.per_matched_layer(
            config, points, "results/sae/{model}/matches/layer-{layer}.parquet"
        ),
        [
            f"results/stimuli/{model['sae']}.parquet"
            for model in MODELS.values()
            if model["sae"]
        ],
        targets.note_sounds(config),
        copies=(
            "results/media/copies.parquet"
            if config["explorer"]["media"] == "copy"
            else []
        ),
        config="results/config.yaml",
    output:
        # a folder: in `snakemake explorer --report report.zip`, not in the one page of report.html
        explorer=report(
            directory("results/explorer"),
            htmlindex="index.html",
            caption="../workflow/report/explorer.rst",
            category="Explorer",
            labels={"figure": "The explorer, a page of its own"},
        ),
    log:
        "logs/write_explorer.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        tables=lambda wildcards, input: [
            path for path in input if Path(path).suffix == ".parquet"
        ],
        # what is requested by name: shown when it is there, never made for the page
        made=made.made_tables(),
        changed=made.changed(made.made_tables()),
        page=hash_folder(ROOT / "workflow/explorer"),
        code=code("write_explorer.py"),
    shell:
        "rasen core write_explorer.py --tables {params.tables} {params.made} --config {input.config}"
        " --benchmarks results/benchmarks --explorer {output.explorer} > {log} 2>&1"


rule explorer:
    """The page."""
    input:
        "results/explorer",
