"""Tests that say `site` run on SQLite and again on PostgreSQL, as those of the registry do."""

from site_fixtures import dialect, empty_site, new_site, postgres, registry, site, template, templates, upgraded

__all__ = ["dialect", "empty_site", "new_site", "postgres", "registry", "site", "template", "templates", "upgraded"]
