"""The least that Airflow takes for a DAG."""

from airflow.sdk import DAG

with DAG("empty"):
    pass
