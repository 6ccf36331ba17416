-- Roles and databases, made by PostgreSQL's own superuser before anything else: psql -f roles.sql. Repeating it changes
-- nothing. Passwords are set beside it, so that none stands in a file or a command line.
SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['airflow', 'gatekeeper_owner', 'gatekeeper_worker', 'gatekeeper_serve', 'gatekeeper_reader']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

SELECT 'CREATE DATABASE airflow OWNER airflow'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'airflow') \gexec
SELECT 'CREATE DATABASE gatekeeper OWNER gatekeeper_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'gatekeeper') \gexec

REVOKE ALL ON DATABASE airflow, gatekeeper FROM PUBLIC;
GRANT CONNECT ON DATABASE gatekeeper TO gatekeeper_worker, gatekeeper_serve, gatekeeper_reader;
