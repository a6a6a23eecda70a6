# The data-fetch stage: images/README.md says how it is run. Built by images/build.py.
ARG BUILD_BASE
ARG RUN_BASE

FROM ${BUILD_BASE} AS wheel
WORKDIR /build
COPY constraints.txt requirements/tools.txt images/install.py ./
RUN --mount=type=secret,id=pip --mount=type=secret,id=ca --mount=type=cache,target=/var/cache/pip \
    ["python3", "install.py", "tools", "tools.txt"]
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src ./src
RUN ["python3", "install.py", "wheel", "/wheels"]

FROM ${BUILD_BASE} AS dependencies
WORKDIR /build
COPY constraints.txt requirements/data-fetch.txt images/install.py images/prune.toml ./
RUN --mount=type=secret,id=pip --mount=type=secret,id=ca --mount=type=cache,target=/var/cache/pip \
    ["python3", "install.py", "dependencies", "data-fetch.txt", "/out"]

FROM dependencies AS code
COPY --from=wheel /wheels /wheels
RUN ["python3", "install.py", "code", "/code", "/wheels"]

# git and what it needs, from the building image's packages; the base's own libraries stay as they are.
FROM ${RUN_BASE} AS base
FROM ${BUILD_BASE} AS git
WORKDIR /build
COPY images/take_git.py ./
RUN --mount=type=bind,from=base,source=/,target=/base ["python3", "take_git.py", "/base", "/out"]

FROM ${RUN_BASE}
COPY --from=git /out /
COPY --from=git /out/usr/bin/dash /bin/sh
COPY --from=dependencies /out /app
COPY --from=code /code /app
ENV PYTHONPATH=/app PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    PULLRISK_HOME=/tmp/pullrisk PULLRISK_LOG_FORMAT=json
WORKDIR /etc/pullrisk
USER 65532:65532
ENTRYPOINT ["/usr/bin/python3.11", "-m", "pullrisk"]
CMD ["fetch", "--help"]
ARG REVISION
ARG CREATED
ARG VERSION
ARG BASE_NAME
ARG BASE_DIGEST
LABEL org.opencontainers.image.title="pullrisk data-fetch" \
      org.opencontainers.image.description="Pull requests from GitHub into the pull store" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE_NAME}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
