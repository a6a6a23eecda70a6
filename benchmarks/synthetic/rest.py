"""A made-up record as GitHub's REST object."""

import msgspec

from pullrisk.pulls.record import Pull
from pullrisk.pulls.rest import rest_object_of


def rest_line(pull: Pull) -> bytes:
    """One line of JSON, without its newline, that `rest.parse_rest` reads back as `pull`.

    The field `synthetic` is ours.
    """
    return msgspec.json.encode(rest_object_of(pull) | {"synthetic": True})
