import pytest

from delivery.dockerfile import Dockerfile, matching
from delivery.errors import InputError

TEXT = """\
# syntax=docker/dockerfile:1
FROM base AS one
COPY --chown=0:0 pyproject.toml constraints.txt ./
# a comment
COPY a \\
     # another
     b /to/
ADD ["with space.txt", "/to/"]
ADD https://example.com/file /to/
COPY --from=other /out /app
RUN --mount=type=bind,source=lock.txt,target=/lock --mount=type=cache,target=/cache \\
    --mount=type=bind,from=other,source=/x,target=/y \\
    pip install '.[serve,vault]'
ENTRYPOINT ["lost"]
FROM base
COPY src ./src
HEALTHCHECK CMD ["python3", "-c", "pass"]
ENTRYPOINT ["python3", "-m", "pullrisk"]
CMD ["serve", "--help"]
LABEL io.pullrisk.commands="serve executor"
LABEL org.opencontainers.image.title="title"
"""


def test_sources_are_what_comes_from_the_builds_folder() -> None:
    assert Dockerfile.parse(TEXT).sources() == (
        "pyproject.toml",
        "constraints.txt",
        "a",
        "b",
        "with space.txt",
        "lock.txt",
        "src",
    )


def test_the_command_is_that_of_the_last_stage() -> None:
    words = Dockerfile.parse(TEXT).command()
    assert words == ("python3", "-m", "pullrisk", "serve", "--help", "serve", "executor")


def test_words_of_what_is_run_hold_the_extras() -> None:
    assert {"serve", "vault"} <= Dockerfile.parse(TEXT).words()


def test_a_file_that_builds_from_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no FROM"):
        Dockerfile.parse("# empty\n")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.txt", {"a.txt"}),
        ("./a.txt", {"a.txt"}),
        ("src", {"src/b.py", "src/c/d.py"}),
        ("src/", {"src/b.py", "src/c/d.py"}),
        ("src/*.py", {"src/b.py", "src/c/d.py"}),
        ("*.txt", {"a.txt"}),
        (".", {"a.txt", "src/b.py", "src/c/d.py"}),
        ("none", set()),
    ],
)
def test_a_pattern_names_files_folders_and_wildcards(pattern: str, found: set[str]) -> None:
    assert matching(pattern, ["a.txt", "src/b.py", "src/c/d.py"]) == found
