"""Pipeline: the weekly run, monitoring of the primary, and alarms."""

from gatekeeper.pipeline.weekly.run import DAG_ID, PARAMETERS, Run, parse_as_of, start
from gatekeeper.pipeline.weekly.steps import STEPS, take, weekly

__all__ = ["DAG_ID", "PARAMETERS", "STEPS", "Run", "parse_as_of", "start", "take", "weekly"]
