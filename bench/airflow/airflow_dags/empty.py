"""Smallest DAG that Airflow accepts."""

from airflow.sdk import DAG

with DAG("empty"):
    pass
