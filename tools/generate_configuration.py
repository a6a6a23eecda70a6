"""Prints docs/reference/configuration.md from the JSON Schema of .github/pullrisk.yml."""

import json
from collections.abc import Iterator

from pullrisk.repository_config.options import json_schema
from schema_tables import paragraphs, table

HEAD = """\
# `.github/pullrisk.yml`

What a repository may say about its own pull requests. The [Action](../action.md), the
[App](../app.md) and `pullrisk check` read it from the base branch; every key may be missing, and
an unknown one is an error. Editors check the file by its
[JSON Schema](../pullrisk.schema.json).

Generated from that schema by `make docs`; a test compares the two.
"""


def main() -> None:
    """Print the page."""
    print(page(), end="")


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for name, schema in json.loads(json_schema())["$defs"].items():
        title = "The file" if name == "RepositoryConfig" else name
        yield f"## {title}\n\n{paragraphs(schema['description'])}\n"
        yield "\n".join(table(schema)) + "\n"


if __name__ == "__main__":
    main()
