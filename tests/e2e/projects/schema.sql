-- Where all the projects start from.
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);
INSERT INTO users SELECT n, 'user' || n || '@example.com' FROM generate_series(1, 1000) n;
