"""What can be configured of the gate; a part of the settings."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class GateOptions(BaseModel):
    """What a trained model has to do to become champion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: Annotated[float, Field(ge=0, le=0.1)] = Field(
        default=0.0,
        description="by how much AUC the interval's lower end may fall short of an opponent; "
        "above 0, a newer model that is as good may take over",
    )
    least_positives: Annotated[int, Field(ge=1)] = Field(
        default=20, description="matured reverts that a window needs to decide anything"
    )
