-- migrate:up
SET lock_timeout = '2s';
ALTER TABLE users ADD COLUMN nickname text;
CREATE INDEX users_nickname ON users (nickname);

-- migrate:down
ALTER TABLE users DROP COLUMN nickname;
