-- The roles of a Strongroom on PostgreSQL, and the schema of its tables. Safe to run again.
--
-- Run it once in the database, as a superuser, or as the owner of the database with CREATEROLE, which
-- is what a managed service gives you:
--
--     psql -d strongroom -v ON_ERROR_STOP=1 -f config/postgresql-roles.sql
--
-- Then give each role its password, which psql proves by SCRAM and never logs:
--
--     \password strongroom_owner
--     \password strongroom_operator
--     \password strongroom_server
--
-- | role                | who uses it                       | what it may                          |
-- |---------------------|-----------------------------------|--------------------------------------|
-- | strongroom_owner    | STRONGROOM_MIGRATION_DATABASE_URL | make and change the tables           |
-- | strongroom_operator | the command `strongroom`          | read and write every row             |
-- | strongroom_server   | the workers                       | what requests and the sweep need     |
--
-- Rights on tables are granted by `strongroom init` and `strongroom db upgrade`, with each migration.
-- Every role may connect to every database of a server from which nobody revoked that right. Where
-- others share the server, revoke it there too, or admit these roles to this database only, in
-- pg_hba.conf.

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['strongroom_owner', 'strongroom_operator', 'strongroom_server'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
        EXECUTE format(
            'ALTER ROLE %I IN DATABASE %I SET search_path = strongroom', role, current_database()
        );
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    -- Who is no superuser can give a schema only to a role that it is a member of.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT strongroom_owner TO %I', current_user);
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS strongroom AUTHORIZATION strongroom_owner;
REVOKE ALL ON SCHEMA strongroom FROM PUBLIC;
GRANT USAGE ON SCHEMA strongroom TO strongroom_operator, strongroom_server;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- In force in every session of these two, also behind a pooler, which forwards no setting of ours.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['strongroom_operator', 'strongroom_server'] LOOP
        EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', role);
        EXECUTE format('ALTER ROLE %I SET statement_timeout = ''8s''', role);
        EXECUTE format('ALTER ROLE %I SET lock_timeout = ''5s''', role);
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''10s''', role);
        EXECUTE format('ALTER ROLE %I SET client_connection_check_interval = ''2s''', role);
    END LOOP;
END
$$;
