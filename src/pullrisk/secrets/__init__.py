"""Credentials: from Vault if VAULT_ADDR is set, otherwise the settings hold them."""
