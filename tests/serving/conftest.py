"""Fixtures of the serving tests: `site` runs on SQLite and again on PostgreSQL, as in the registry's tests."""

from site_fixtures import dialect, empty_site, new_site, postgres, registry, site, template, templates, upgraded

__all__ = ["dialect", "empty_site", "new_site", "postgres", "registry", "site", "template", "templates", "upgraded"]
