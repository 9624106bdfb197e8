"""A sample's durations, carried on to production's rows."""
import json
import subprocess

import pytest

from conftest import REHEARSE

ROWS = 400_000
SCHEMA = f"""
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customers,
                     amount int NOT NULL, note text);
INSERT INTO customers SELECT i, 'c' || i FROM generate_series(1, 20000) i;
INSERT INTO orders SELECT i, 1 + (i::bigint * 7919) % 20000, i % 1000, md5(i::text)
  FROM generate_series(1, {ROWS}) i;
ANALYZE;
"""
