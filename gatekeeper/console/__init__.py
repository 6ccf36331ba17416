"""What does a registry look like in a browser? The pages, in Airflow's menu or alone, read-only, on this machine."""

from gatekeeper.console.app import create
from gatekeeper.console.dependencies import Entrance, House, ReadOnly

__all__ = ["Entrance", "House", "ReadOnly", "create"]
