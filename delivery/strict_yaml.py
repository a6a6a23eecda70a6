"""YAML that every reader reads alike: no anchor, alias, tag or repeated key, one document."""

from typing import Any

import yaml

from delivery.errors import RefusedError


def load(text: str | bytes, shown: str) -> Any:  # noqa: ANN401
    """The content of a file, which messages call `shown`. Raises RefusedError."""
    try:
        check_plain(text, shown)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_keys(root, shown)
        return yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise RefusedError(f"{shown} is not YAML: {error}") from None


def check_plain(text: str | bytes, shown: str, *, hint: str | None = None) -> None:
    """Raises RefusedError for an anchor, alias or tag, yaml.YAMLError for what is not YAML."""
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken):
            line = token.start_mark.line + 1
            raise RefusedError(f"{shown}: line {line} uses an anchor, alias or tag", hint=hint)


def _check_keys(node: yaml.Node | None, shown: str) -> None:
    """Raises RefusedError for a key that stands in one mapping twice, or is no text."""
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _check_keys(each, shown)
    elif isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            name, line = key.value, key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                raise RefusedError(f"{shown}: line {line} has a key that is no text")
            if name in keys:
                raise RefusedError(f"{shown}: line {line} repeats {name}")
            keys.add(name)
            _check_keys(value, shown)
