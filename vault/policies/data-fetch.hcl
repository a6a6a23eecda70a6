# data-fetch reads its own secrets and nothing else.
path "secret/data/mlops/data-fetch" {
  capabilities = ["read"]
}

# Its own short-lived MongoDB user, where the database engine makes them.
path "database/creds/data-fetch" {
  capabilities = ["read"]
}
