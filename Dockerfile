# The image of the service. It contains no engine: run Valkey with its modules next to it (deploy/).
# Pin the base for a release: --build-arg PYTHON=python:3.13-slim@sha256:…
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /src
# Two environments: /build has the build tools (pip, hatchling); only /opt/memory goes into the final image.
RUN python -m venv /build && python -m venv --without-pip /opt/memory
COPY requirements/build.txt requirements/image.txt requirements/
RUN /build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt && \
    /build/bin/pip --python /opt/memory/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
      -r requirements/image.txt
# boto3 contains 30 MB of descriptions of AWS services. Keep Bedrock and the services that provide credentials.
RUN find /opt/memory/lib/python3*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
      ! -name bedrock-runtime ! -name signin ! -name sso ! -name sso-oidc ! -name sts -exec rm -r {} +
COPY LICENSE README.md pyproject.toml ./
COPY clients/python/src clients/python/src
COPY memory_service memory_service
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . && \
    /build/bin/pip --python /opt/memory/bin/python install --no-cache-dir --no-deps dist/*.whl

FROM ${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="semantic_memory" \
      org.opencontainers.image.description="Memory for LLM applications: search chat messages by meaning, over gRPC and Valkey" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/memory /opt/memory
# The service writes to /tmp only, so the root file system may be read-only. Libraries look for their files in HOME.
ENV PATH=/opt/memory/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    MEMORY_LISTEN=0.0.0.0:50051 \
    MEMORY_HEALTH_LISTEN=0.0.0.0:50052
USER 65532:65532
WORKDIR /tmp
# Ports: calls; health checks in plaintext; metrics, if MEMORY_METRICS_LISTEN is set.
EXPOSE 50051 50052 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["memory-service", "health", "--address", "127.0.0.1:50052"]
ENTRYPOINT ["memory-service"]
CMD ["serve"]
