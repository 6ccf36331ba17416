"""Desks at fault: no DAG, but the import error of each desk that can't run. Those of the others stand (Airflow)."""

from gatekeeper_airflow import desk_dags

desk_dags.refuse_faulty_desks()
