"""No secret in logs, tracebacks, MLflow's records or Spark's settings."""

from pullrisk.redaction.logs import protect, redacted_traceback
from pullrisk.redaction.redactor import (
    REDACTOR,
    SENSITIVE_NAME,
    SHAPES,
    SPARK_REDACTION,
    Redactor,
)
from pullrisk.redaction.uri import MASK, redacted

__all__ = [
    "MASK",
    "REDACTOR",
    "SENSITIVE_NAME",
    "SHAPES",
    "SPARK_REDACTION",
    "Redactor",
    "protect",
    "redacted",
    "redacted_traceback",
]
