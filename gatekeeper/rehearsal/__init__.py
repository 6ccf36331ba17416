"""What would each policy have made of years of Mondays, on these data?"""

from gatekeeper.rehearsal.plan import Plan, mondays, plan
from gatekeeper.rehearsal.results import rehearse

__all__ = ["Plan", "mondays", "plan", "rehearse"]
