"""The settings that are credentials and belong to no other part of the settings."""

from pydantic import BaseModel, Field, SecretStr


class Credentials(BaseModel):
    """Fields of the settings; where there is Vault, it holds them instead."""

    mlflow_username: str | None = Field(default=None, description="user at MLflow")
    mlflow_password: SecretStr | None = Field(default=None, description="password at MLflow")
    mlflow_token: SecretStr | None = Field(default=None, description="bearer token at MLflow")
    api_keys: SecretStr | None = Field(
        default=None, description="keys that the scoring API accepts, with commas between"
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="signs GitHub's webhook deliveries"
    )
    allow_local_secrets: bool = Field(
        default=False, description="take credentials from the settings even inside Kubernetes"
    )
