"""What of a URI people may see; see `pullrisk.redaction.uri`."""

from pullrisk.redaction import redacted

__all__ = ["redacted"]
