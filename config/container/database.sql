-- Makes database and roles, once, where the image of PostgreSQL begins. Each password is the one of
-- the URL that a service gets.
CREATE DATABASE strongroom;
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
\connect strongroom
\i /etc/strongroom/postgresql-roles.sql
\set owner `sed 's/.*password=//' /run/secrets/owner_url`
\set operator `sed 's/.*password=//' /run/secrets/operator_url`
\set server `sed 's/.*password=//' /run/secrets/server_url`
ALTER ROLE strongroom_owner PASSWORD :'owner';
ALTER ROLE strongroom_operator PASSWORD :'operator';
ALTER ROLE strongroom_server PASSWORD :'server';
