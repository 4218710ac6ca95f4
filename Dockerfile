FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Everything is installed from lock files, by hash, and only from wheels. Nothing is compiled, so only Python is needed
# here.
COPY requirements-build.lock requirements-runtime.lock ./
RUN python -m venv /opt/app \
    && /opt/app/bin/pip install --require-hashes --only-binary :all: -r requirements-runtime.lock \
    && pip install --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md ./
COPY worker worker
COPY producers producers
RUN python -m hatchling build -t wheel -d /dist \
    && /opt/app/bin/pip install --no-deps /dist/*.whl \
    && /opt/app/bin/python -m compileall -q /opt/app/lib \
    && /opt/app/bin/pip uninstall --yes pip

FROM python:3.12-slim
# A fixed number, so that a cluster can require a user that is not root.
RUN groupadd --gid 10001 app \
    && useradd --uid 10001 --gid app --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app
COPY --from=build /opt/app /opt/app
# Byte code was compiled above, so the file system may be read-only.
ENV PATH=/opt/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/app
USER 10001:10001
# On SIGTERM the worker lets running jobs finish. A SIGTERM that comes before it has a handler waits for it: the kernel
# would discard it, because the worker is process 1. It does not reap orphans: run the container with an init process.
STOPSIGNAL SIGTERM
# Swarm, ECS and others replace an unhealthy container, so this asks whether a restart would help, not for readiness:
# no outage of Redis or MongoDB makes it fail. It needs a writable /tmp, or TMPDIR.
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=3 CMD ["hospital-worker", "check", "--live"]
CMD ["env", "--block-signal=TERM", "arq", "worker.main.WorkerSettings"]
