-- The report on pages is slow.
SET lock_timeout = '2s';
CREATE INDEX events_page_idx ON events (page, happened_at);
