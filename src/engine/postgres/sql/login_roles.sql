-- Roles that may log in.
SELECT r.rolname AS role_name FROM pg_catalog.pg_roles AS r WHERE r.rolcanlogin
