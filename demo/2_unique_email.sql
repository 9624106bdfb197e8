-- One account per e-mail address, however it is spelt.
SET lock_timeout = '2s';
CREATE UNIQUE INDEX CONCURRENTLY customers_email_lower_key ON customers (lower(email));
