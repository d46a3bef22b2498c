"""``cronstream schema``: what may stand in a crontab, as a JSON Schema that editors read."""

import json

import click

from cronstream.core.crontab.schema import crontab_schema


def schema_text() -> str:
    """Return the schema as it stands in a file."""
    return json.dumps(crontab_schema(), indent=2) + "\n"


@click.command("schema")
def schema() -> None:
    """Print the JSON Schema of the crontab.

    An editor that reads it proposes keys and values, shows what each means, and underlines
    mistakes; those that concern several places only 'cronstream check' finds. A crontab names it in
    its first line: # yaml-language-server: $schema=crontab.schema.json
    """
    click.echo(schema_text(), nl=False)
