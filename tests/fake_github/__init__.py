"""A GitHub for tests and for trying things offline: our real queries over real pulls.

It executes GraphQL with graphql-core over GitHub's published schema (npm's
@octokit/graphql-schema), answers the few REST routes that clients of others use, counts
requests and points as GitHub does, and misbehaves as told.
"""
