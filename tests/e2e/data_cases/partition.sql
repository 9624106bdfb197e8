--- case attach_range
--- expect partition-misfits rows=2
CREATE TABLE t (k int, a text) PARTITION BY RANGE (k);
CREATE TABLE part (k int, a text);
INSERT INTO part VALUES (1, 'x'), (10, 'y'), (11, 'z');
--- migration
ALTER TABLE t ATTACH PARTITION part FOR VALUES FROM (0) TO (10);

--- case attach_list
--- expect partition-misfits rows=2
CREATE TABLE t (k text, a int) PARTITION BY LIST (k);
CREATE TABLE part (k text, a int);
INSERT INTO part VALUES ('a', 1), ('b', 2), ('c', 3), (NULL, 4);
--- migration
ALTER TABLE t ATTACH PARTITION part FOR VALUES IN ('a', 'b');

--- case attach_null_key
--- expect partition-misfits rows=1
CREATE TABLE t (k int, a text) PARTITION BY RANGE (k);
CREATE TABLE part (k int, a text);
INSERT INTO part VALUES (1, 'x'), (NULL, 'y');
--- migration
ALTER TABLE t ATTACH PARTITION part FOR VALUES FROM (0) TO (10);

--- case default_holds_rows
--- expect partition-misfits rows=1
CREATE TABLE t (k int, a text) PARTITION BY RANGE (k);
CREATE TABLE rest PARTITION OF t DEFAULT;
INSERT INTO t VALUES (5, 'x'), (50, 'y');
--- migration
CREATE TABLE part PARTITION OF t FOR VALUES FROM (0) TO (10);

--- case attach_beside_default
--- expect partition-misfits rows=2
CREATE TABLE t (k int, a text) PARTITION BY RANGE (k);
CREATE TABLE rest PARTITION OF t DEFAULT;
CREATE TABLE part (k int, a text);
INSERT INTO t VALUES (5, 'x'), (6, 'x'), (50, 'y');
--- migration
ALTER TABLE t ATTACH PARTITION part FOR VALUES FROM (0) TO (10);

--- case insert_nowhere
--- expect failure
CREATE TABLE t (k int, a text) PARTITION BY RANGE (k);
CREATE TABLE part PARTITION OF t FOR VALUES FROM (0) TO (10);
--- migration
INSERT INTO t VALUES (1, 'x'), (11, 'y');

--- case fine_attach
--- expect nothing
CREATE TABLE t (k int, a text) PARTITION BY RANGE (k);
CREATE TABLE part (k int, a text);
INSERT INTO part VALUES (1, 'x'), (9, 'y');
--- migration
ALTER TABLE t ATTACH PARTITION part FOR VALUES FROM (0) TO (10);

--- case fine_attach_proven
--- expect nothing
CREATE TABLE t (k int, a text) PARTITION BY RANGE (k);
CREATE TABLE part (k int NOT NULL, a text, CONSTRAINT bounds CHECK (k >= 0 AND k < 10));
INSERT INTO part VALUES (1, 'x'), (9, 'y');
--- migration
ALTER TABLE t ATTACH PARTITION part FOR VALUES FROM (0) TO (10);

--- case fine_default
--- expect nothing
CREATE TABLE t (k int, a text) PARTITION BY LIST (k);
CREATE TABLE part (k int, a text);
INSERT INTO part VALUES (1, 'x'), (NULL, 'y');
--- migration
ALTER TABLE t ATTACH PARTITION part DEFAULT;

--- case fine_create
--- expect nothing
CREATE TABLE t (k int, a text) PARTITION BY RANGE (k);
CREATE TABLE rest PARTITION OF t DEFAULT;
INSERT INTO t VALUES (50, 'y');
--- migration
CREATE TABLE part PARTITION OF t FOR VALUES FROM (0) TO (10);

--- case fine_hash
--- expect nothing
CREATE TABLE t (k int, a text) PARTITION BY HASH (k);
CREATE TABLE h0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
--- migration
CREATE TABLE h1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1);
