"""Which models are there, which one is active, and how does that change safely?"""

from gatekeeper.registry.adoption import Mark, UpgradeReport, upgrade
from gatekeeper.registry.copying import Copied
from gatekeeper.registry.doctor import Checkup, check_up
from gatekeeper.registry.examination import Finding
from gatekeeper.registry.migration import NamingPlan, NamingStep
from gatekeeper.registry.records import Details, Evaluation, Hold, Model, Promotion, Quarantine
from gatekeeper.registry.registry import Registry
from gatekeeper.registry.retirement import CleanUp, Disposal

__all__ = [
    "Checkup",
    "CleanUp",
    "Copied",
    "Details",
    "Disposal",
    "Evaluation",
    "Finding",
    "Hold",
    "Mark",
    "Model",
    "NamingPlan",
    "NamingStep",
    "Promotion",
    "Quarantine",
    "Registry",
    "UpgradeReport",
    "check_up",
    "upgrade",
]
