"""Which models are there, which one is active, and how does that change safely?"""

from gatekeeper.registry.adoption import Mark, UpgradeReport, upgrade
from gatekeeper.registry.migration import NamingPlan, NamingStep
from gatekeeper.registry.records import Details, Evaluation, Hold, Model, Promotion, Quarantine
from gatekeeper.registry.registry import Registry

__all__ = [
    "Details",
    "Evaluation",
    "Hold",
    "Mark",
    "Model",
    "NamingPlan",
    "NamingStep",
    "Promotion",
    "Quarantine",
    "Registry",
    "UpgradeReport",
    "upgrade",
]
