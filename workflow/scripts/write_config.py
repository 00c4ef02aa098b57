"""Write the config as it was used: all files and options merged, all defaults filled in."""

from pathlib import Path

import yaml

from rasen import command
from rasen.io.atomic import write_text


def write_config(settings: dict, config: Path):
    """Write it as YAML, keys in the order of the config file."""
    write_text(config, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


if __name__ == "__main__":
    command.run(write_config)
