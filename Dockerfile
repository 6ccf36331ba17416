# Airflow with Gatekeeper from the lock; the same image runs every service of docker-compose.yaml.
FROM python:3.13-slim
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
ENV ORT_DISABLE_TELEMETRY=1 AIRFLOW_HOME=/opt/airflow PATH=/opt/gatekeeper/.venv/bin:$PATH
WORKDIR /opt/gatekeeper
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY gatekeeper ./gatekeeper
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir "$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' requirements.lock)" \
 && .venv/bin/uv pip sync --python .venv/bin/python --require-hashes --compile-bytecode --no-cache requirements.lock \
 && .venv/bin/uv pip install --python .venv/bin/python --no-deps --no-build-isolation .
