--- case overlap
--- expect exclusion-conflicts rows=3
CREATE TABLE t (id int PRIMARY KEY, r int4range);
INSERT INTO t VALUES (1, '[1,5)'), (2, '[4,8)'), (3, '[7,9)'), (4, '[20,30)');
--- migration
ALTER TABLE t ADD CONSTRAINT no_overlap EXCLUDE USING gist (r WITH &&);

--- case partial
--- expect exclusion-conflicts rows=2
CREATE TABLE t (id int PRIMARY KEY, r int4range, active bool);
INSERT INTO t VALUES (1, '[1,5)', true), (2, '[4,8)', true), (3, '[1,9)', false);
--- migration
ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&) WHERE (active);

--- case equal
--- expect exclusion-conflicts rows=2
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1), (3, 2), (4, NULL), (5, NULL);
--- migration
ALTER TABLE t ADD CONSTRAINT t_excl EXCLUDE USING btree (a WITH =);

--- case fine_adjacent
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, r int4range);
INSERT INTO t VALUES (1, '[1,5)'), (2, '[5,8)'), (3, NULL), (4, 'empty');
--- migration
ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&);

--- case fine_partial
--- expect nothing
CREATE TABLE t (id int PRIMARY KEY, r int4range, active bool);
INSERT INTO t VALUES (1, '[1,5)', true), (2, '[4,8)', false), (3, '[1,9)', false);
--- migration
ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&) WHERE (active);
