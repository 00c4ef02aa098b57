# Share: the report, the config as used, and one archive from which others can continue.
#   needs    everything that `all` makes
#   makes    results/config.yaml    results/report/report.html    results/share.zip


rule write_config:
    """The config as it was used: files and options merged, defaults filled in."""
    output:
        config="results/config.yaml",
    log:
        "logs/write_config.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        settings=settings(),
        code=code("write_config.py"),
    shell:
        "rasen core write_config.py --settings {params.settings:q} --config {output.config}"
        " > {log} 2>&1"


rule write_report:
    """Snakemake's report on all results: one self-contained page."""
    input:
        lambda wildcards: rules.all.input,
        config="results/config.yaml",
    output:
        report="results/report/report.html",
    log:
        "logs/write_report.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        code=code("write_report.py"),
    shell:
        "rasen core write_report.py --config {input.config} --report {output.report} > {log} 2>&1"


rule pack_results:
    """Tables, figures, report, config and provenance records in one archive, with checksums."""
    input:
        lambda wildcards: rules.all.input,
        config="results/config.yaml",
        report="results/report/report.html",
        explorer="results/explorer",
    output:
        archive="results/share.zip",
    log:
        "logs/pack_results.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        also=[*workflow.configfiles, *targets.sheets(config)],
        settings=settings("share"),
        code=code("pack_results.py"),
    shell:
        "rasen core pack_results.py --archive {output.archive} --settings {params.settings:q}"
        " --also {params.also:q} --version {params.code} 2>&1 | tee {log}"


rule share:
    """The archive."""
    input:
        "results/share.zip",
