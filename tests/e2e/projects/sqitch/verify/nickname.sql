-- Verify shop:nickname on pg
SELECT nickname FROM users WHERE false;
