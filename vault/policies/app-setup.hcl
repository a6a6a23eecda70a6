# For an operator who makes the GitHub App at /setup: writes two stages' secrets and reads none.
# No role has it: bao token create -policy=app-setup -ttl=15m
path "secret/data/mlops/data-fetch" {
  capabilities = ["create", "patch"]
}
path "secret/data/mlops/model-serving" {
  capabilities = ["create", "patch"]
}
