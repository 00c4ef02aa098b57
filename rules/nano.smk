# Nano: the embedded model, a small MusicGen that the workflow trains itself.
#   needs    nano
#   makes    resources/models/nano/ including the checkpoints of its training run


rule train_nano:
    """Fit nano's codec, train its decoder, and keep checkpoints at log-spaced steps."""
    output:
        training="resources/models/nano/training.json",
    log:
        "logs/train_nano.log",
    benchmark:
        "results/benchmarks/train_nano.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=settings("nano"),
        code=code("train_nano.py"),
    shell:
        "rasen core train_nano.py --settings {params.settings:q} --folder $(dirname {output.training})"
        " > {log} 2>&1"


rule nano:
    """The embedded model."""
    input:
        "resources/models/nano/training.json",
