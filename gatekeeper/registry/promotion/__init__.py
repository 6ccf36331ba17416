"""Promotion acts: evaluations, promotions, rollbacks, holds, and the chained history."""
