-- Revert shop:nickname from pg
ALTER TABLE users DROP COLUMN nickname;
