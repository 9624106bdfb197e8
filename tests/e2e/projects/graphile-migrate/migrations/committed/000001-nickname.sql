--! Previous: -
--! Hash: sha1:db0b0da97a7a061346a513cbdebeed0d9bd7d2e1
--! Message: nickname

SET LOCAL lock_timeout = '2s';
ALTER TABLE users ADD COLUMN nickname text;
CREATE INDEX users_nickname ON users (nickname);
