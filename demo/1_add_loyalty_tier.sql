-- A loyalty programme, and the back office's list of orders by status.
SET lock_timeout = '2s';
ALTER TABLE customers ADD COLUMN loyalty_tier text NOT NULL DEFAULT 'bronze';
CREATE INDEX CONCURRENTLY orders_status_idx ON orders (status, placed_at);
