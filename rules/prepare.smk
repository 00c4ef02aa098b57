# Prepare: all that needs a network, done by one local command before jobs run where there is none.
#   needs    the config
#   makes    resources/models/{repository}/, .venv and .envs/ of the checkout


rule prepare:
    """The environments that the config needs, and its weights from the hub."""
    input:
        expand("resources/models/{repository}", repository=DOWNLOADS),
    log:
        "logs/prepare.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        environments=targets.environments(config),
        install=ROOT / "workflow/install",
    shell:
        "for env in {params.environments}; do {params.install:q} $env; done 2>&1 | tee {log}"
