"""A made-up record as GitHub's REST object."""

import msgspec

from pullrisk.pulls.as_rest import rest_object_of
from pullrisk.pulls.record import Pull


def rest_line(pull: Pull) -> bytes:
    """One line of JSON, without its newline, that `record.parse_rest` reads back as `pull`.

    The field `synthetic` is ours.
    """
    return msgspec.json.encode(rest_object_of(pull) | {"synthetic": True})
