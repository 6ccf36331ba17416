# Airflow with Gatekeeper from the lock; the same image runs every service of docker-compose.yaml.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
ENV ORT_DISABLE_TELEMETRY=1 AIRFLOW_HOME=/opt/airflow PATH=/opt/gatekeeper/.venv/bin:$PATH HOME=/tmp
WORKDIR /opt/gatekeeper
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY gatekeeper ./gatekeeper
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir "$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' requirements.lock)" \
 && .venv/bin/uv pip sync --python .venv/bin/python --require-hashes --compile-bytecode --no-cache requirements.lock \
 && .venv/bin/uv pip install --python .venv/bin/python --no-deps --no-build-isolation .
# Whatever number runs it, in the group 0: these folders are all that it may write, and volumes begin as copies of them.
RUN useradd --uid 50000 --gid 0 --no-create-home --home-dir /tmp gatekeeper \
 && mkdir -p /gatekeeper/models /gatekeeper/work /gatekeeper/reports /gatekeeper/spool \
      /opt/airflow/logs /opt/airflow/accounts \
 && chown -R 50000:0 /gatekeeper /opt/airflow \
 && chmod -R ug=rwX,o= /gatekeeper /opt/airflow
USER 50000:0
