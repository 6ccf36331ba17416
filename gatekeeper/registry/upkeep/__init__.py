"""Registry upkeep: doctor, adoption of older tables, renaming, copying models."""
