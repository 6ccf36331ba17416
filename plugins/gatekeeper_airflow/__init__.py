"""Airflow integration: registry hook, operators, weekly run, approval, monitor, console and alarms."""
