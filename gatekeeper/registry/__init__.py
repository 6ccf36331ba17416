"""Model registry: models, the primary, promotions and rollbacks, evaluations, holds and quarantines."""

from gatekeeper.registry.models.retirement import CleanUp, Disposal
from gatekeeper.registry.records import Approval, Details, Evaluation, Hold, Model, Promotion, Quarantine
from gatekeeper.registry.registry import Registry
from gatekeeper.registry.upkeep.adopt import Mark, UpgradeReport, upgrade
from gatekeeper.registry.upkeep.backup import BackedUp, Restored, back_up, restore
from gatekeeper.registry.upkeep.copy_model import Copied
from gatekeeper.registry.upkeep.doctor import Checkup, check_up
from gatekeeper.registry.upkeep.findings import Defect
from gatekeeper.registry.upkeep.rename import NamingPlan, NamingStep

__all__ = [
    "Approval",
    "BackedUp",
    "Checkup",
    "CleanUp",
    "Copied",
    "Defect",
    "Details",
    "Disposal",
    "Evaluation",
    "Hold",
    "Mark",
    "Model",
    "NamingPlan",
    "NamingStep",
    "Promotion",
    "Quarantine",
    "Registry",
    "Restored",
    "UpgradeReport",
    "back_up",
    "check_up",
    "restore",
    "upgrade",
]
