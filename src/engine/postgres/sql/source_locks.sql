SELECT mode, count(DISTINCT relation) AS relations
FROM pg_locks
-- 16384: FirstNormalObjectId; those below are the catalogue's
WHERE pid = ANY ($1::int[]) AND locktype = 'relation' AND granted AND relation >= 16384
GROUP BY mode
ORDER BY mode
