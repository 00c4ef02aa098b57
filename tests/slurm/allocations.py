"""What a SLURM job was given."""

import re


def cpus(job):
    return int(job["NumCPUs"])


def megabytes(job):
    return int(re.search(r"mem=(\d+)M", job["TRES"])[1])


def minutes(job):
    hours, minutes, _ = job["TimeLimit"].split(":")
    return 60 * int(hours) + int(minutes)
