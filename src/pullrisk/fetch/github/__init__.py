"""Pull requests from GitHub's GraphQL API: whole, incremental, polite to its limits."""
