"""What counts as an alarm."""

from typing import Annotated, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]


class DriftOptions(msgspec.Struct, frozen=True):
    """When a column has drifted: see `pullrisk.monitor.drift`."""

    index: float = 0.25
    usual: float = 3.0
    significance: float = 0.01


_DRIFT: Final = DriftOptions()


class MonitorOptions(BaseModel):
    """The thresholds of `pullrisk monitor`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: Annotated[int, Field(ge=1)] = Field(
        default=90, description="how many days up to the latest merge are recent"
    )
    least_pulls: Annotated[int, Field(ge=20)] = Field(
        default=100, description="fewer recent pull requests of a repository are not compared"
    )
    index: Positive = Field(
        default=_DRIFT.index,
        description="population stability index from which a feature may have drifted",
    )
    usual: Annotated[float, Field(ge=1)] = Field(
        default=_DRIFT.usual, description="how many times the index of the repository's own windows"
    )
    significance: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=_DRIFT.significance, description="largest corrected p-value of a drift"
    )
    drifted_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.05, description="share of a repository's features that may drift without alarm"
    )
    calibration_ratio: Annotated[float, Field(gt=1)] = Field(
        default=1.5, description="how many times more or fewer outcomes than predicted"
    )
    least_auc: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        default=0.55, description="AUC that the risk must be able to have"
    )
    outcome_days: Annotated[int, Field(ge=1)] = Field(
        default=365, description="how many days of matured outcomes are judged"
    )
    data_age_days: Positive = Field(
        default=7.0, description="oldest that the latest merge of all may be"
    )
    model_age_days: Positive | None = Field(
        default=None, description="oldest that the end of the training data may be, where set"
    )

    @property
    def drift(self) -> DriftOptions:
        """Those that a single column is held to."""
        return DriftOptions(self.index, self.usual, self.significance)
