"""Whether training would see anything that the newest registered model has not seen."""

from collections.abc import Mapping

from pullrisk.features import SCHEMA_HASH
from pullrisk.redaction import REDACTOR
from pullrisk.train.dataset import Target
from pullrisk.train.lineage import label_definition
from pullrisk.train.mlflow_client import Tracking
from pullrisk.train.registry import Version, versions


def already_trained(
    tracking: Tracking, source: Mapping[str, str], *, target: Target, maturity_days: float
) -> Version | None:
    """The newest version, if it was trained on this `source` (a lake and its version) with the
    features and labels of today; None where training would see something new.

    Raises RegistryError.
    """
    newest = next(iter(versions(tracking)), None)
    wanted = {
        **{f"dataset_{name}": value for name, value in source.items()},
        "schema_hash": SCHEMA_HASH,
        "label_definition": label_definition(target, maturity_days),
    }
    if newest is None or not REDACTOR.mapping(wanted).items() <= newest.tags.items():
        return None
    return newest
