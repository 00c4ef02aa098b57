"""Stands in for the template engine `yte`, through which Snakemake reads configs and profiles.

The engine runs any Python in a file that says `__use_yte__: true`, before a Snakefile is read and
in dry runs too. Configs of ours are data, so this module, which `workflow/install` puts where the
engine would be, reads YAML and refuses templates.
"""

import yaml


def process_yaml(file_or_str, require_use_yte=True):
    """The content of a YAML file (or text); raises where it is a template."""
    name = getattr(file_or_str, "name", "a config")
    try:
        content = yaml.safe_load(file_or_str)
    except UnicodeDecodeError:
        raise SystemExit(f"Error: {name}: is not text in UTF-8; save it as UTF-8") from None
    except (ValueError, LookupError, AttributeError, TypeError) as error:  # a tag without its value
        raise SystemExit(
            f"Error: {name}: has a value that is not what its tag says ({error})"
        ) from None
    except RecursionError:
        raise SystemExit(f"Error: {name}: is nested too deeply for a config") from None
    if isinstance(content, dict) and "__use_yte__" in content:
        raise SystemExit(
            f"Error: {name}: says `__use_yte__`: such a file runs code when it is read; "
            "take that line and the expressions (`?...`) out and write plain values"
        )
    return content
