-- What each part may do in the registry, granted by its owner after each `gatekeeper db upgrade`: psql -f grants.sql.
-- Repeating it changes nothing. A desk with a schema of its own: psql -v schema=NAME -f grants.sql.
\if :{?schema}
\else
  \set schema public
\endif
BEGIN;
GRANT USAGE ON SCHEMA :"schema" TO gatekeeper_worker, gatekeeper_serve, gatekeeper_reader;
REVOKE ALL ON ALL TABLES IN SCHEMA :"schema" FROM gatekeeper_worker, gatekeeper_serve, gatekeeper_reader;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA :"schema" FROM gatekeeper_worker, gatekeeper_serve, gatekeeper_reader;
SET LOCAL search_path TO :"schema";

-- Everybody reads.
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO gatekeeper_worker, gatekeeper_serve, gatekeeper_reader;

-- Tasks, the console and commands write rows; the tables themselves are the owner's.
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :"schema" TO gatekeeper_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA :"schema" TO gatekeeper_worker;
-- The history and the keys of acts are only ever added to; no model's row is taken away; the revision is the owner's.
REVOKE UPDATE, DELETE ON gatekeeper_promotion, gatekeeper_act FROM gatekeeper_worker;
REVOKE DELETE ON "RLModel", gatekeeper_artifact, gatekeeper_evaluation, gatekeeper_quarantine, gatekeeper_hold,
  gatekeeper_lock FROM gatekeeper_worker;
REVOKE INSERT, UPDATE, DELETE ON gatekeeper_alembic_version FROM gatekeeper_worker;

-- Servers log what they decided, and the outcomes.
GRANT INSERT, UPDATE ON "RLDataset", gatekeeper_decision TO gatekeeper_serve;
GRANT INSERT ON gatekeeper_conflict TO gatekeeper_serve;
SELECT format('GRANT USAGE ON SEQUENCE %s TO gatekeeper_serve', sequence)
FROM pg_get_serial_sequence('"RLDataset"', 'id') AS sequence WHERE sequence IS NOT NULL \gexec
COMMIT;
