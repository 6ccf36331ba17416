"""Web console: a registry's pages in the browser, in Airflow's menu or standalone (read-only, on this machine)."""

from gatekeeper.console.app import create
from gatekeeper.console.dependencies import Entrance, House, ReadOnly

__all__ = ["Entrance", "House", "ReadOnly", "create"]
