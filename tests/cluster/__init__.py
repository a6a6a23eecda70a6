"""`make test-cluster`: what Argo and Spark really do with the manifests, on an empty cluster.

__main__.py     the command line: checks where it is, installs, checks, takes all away again
kubectl.py      every call of kubectl, with its context and namespace
safety.py       whether a cluster is local, and empty
installing.py   Argo CD, Argo Rollouts, Prometheus' operator; the servers that the stages need
servers.py      the manifests of those servers
images.py       the stages' images, built and loaded into kind or k3d, or named
repository.py   the Git repository that Argo CD reads: the base, and an overlay for the test
state.py        what Application and Rollout say of themselves (pure functions)
world.py        what all checks work with: commit, wait, promote
checks.py       one function for each behaviour
inside/         programs that run in pods
"""
