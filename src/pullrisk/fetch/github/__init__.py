"""Pull requests from GitHub's GraphQL API, complete and incremental, within its rate limits."""
