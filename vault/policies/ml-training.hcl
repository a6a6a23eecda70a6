# ml-training reads its own secrets and nothing else.
path "secret/data/mlops/ml-training" {
  capabilities = ["read"]
}

# Its own short-lived MongoDB user, where the database engine makes them.
path "database/creds/ml-training" {
  capabilities = ["read"]
}
