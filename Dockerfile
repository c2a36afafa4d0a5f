# The service alone; Valkey with its modules runs beside it (deploy/compose.yaml).
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/image.txt requirements/image.txt
RUN python -m venv /opt/memory && \
    /opt/memory/bin/pip install --no-cache-dir --require-hashes -r requirements/image.txt
COPY LICENSE README.md pyproject.toml ./
COPY clients/python clients/python
COPY memory_service memory_service
RUN /opt/memory/bin/pip install --no-cache-dir --no-deps --no-build-isolation ./clients/python .

FROM python:3.13-slim
COPY --from=build /opt/memory /opt/memory
ENV PATH=/opt/memory/bin:$PATH PYTHONUNBUFFERED=1 MEMORY_LISTEN=0.0.0.0:50051
USER 65532:65532
EXPOSE 50051
ENTRYPOINT ["memory-service"]
CMD ["serve"]
