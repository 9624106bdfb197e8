INSERT INTO users (email, login, full_name, phone, born, left_on, status, plan, salary, mood, profile, contact, tags, avatar,
                   last_ip, device, session_token, search)
SELECT CASE WHEN g % 2 = 0 THEN 'User' ELSE 'user' END || g || '@Example' || g % 7 || '.org', 'Login' || g,
       CASE WHEN g % 10 > 0 THEN 'Maria Planted' || g % 90 END, '+49 151 ' || 1000000 + g,
       date '1950-01-01' + g * 20, CASE WHEN g % 5 = 0 THEN date '1950-01-01' + g * 20 + 9000 END,
       (ARRAY['new', 'active', 'gone'])[1 + g % 3], (ARRAY['free', 'paid', 'trial'])[1 + g % 3],
       1000 + g * 3.5, 'ok'::mood, jsonb_build_object('email', 'planted' || g || '@example.org', 'n', g, 'deep', jsonb_build_array('planted secret')),
       ROW('Planted Name ' || g, 'planted' || g || '@example.org', g)::contact, ARRAY['planted tag', NULL, 't' || g % 3],
       decode(md5(g::text), 'hex'), ('10.1.' || g % 250 || '.' || (g * 7) % 250)::inet, '08:00:2b:01:02:03', md5(g::text)::uuid,
       to_tsvector('simple', 'planted words ' || g)
  FROM generate_series(1, 300) AS g;
INSERT INTO accounts SELECT 'DE' || lpad((g % 97)::text, 2, '0') || lpad(g::text, 18, '0'), u.email,
       '4111' || lpad(g::text, 12, '0'), 'call planted' || g || '@example.org, please' FROM generate_series(1, 200) AS g, users AS u WHERE u.id = g;
INSERT INTO transfers SELECT md5('t' || a.iban)::uuid, a.iban, (SELECT max(b.iban) FROM accounts AS b), 'ref' FROM accounts AS a;
INSERT INTO visits SELECT (ARRAY['DE', 'AT', 'FR'])[1 + g % 3], now(), '192.168.1.7', 'Login' || g FROM generate_series(1, 90) AS g;
INSERT INTO base VALUES ('planted remark');
INSERT INTO heir VALUES ('planted remark', 'planted more');
INSERT INTO places VALUES ('planted & query');
INSERT INTO wages SELECT 999999.99 - g, ARRAY[99999.99 - g], ROW(999999.99 - g, date '1970-03-01' + g, 5000 + g, g)::terms, 1000 + g,
       'planted'
  FROM generate_series(1, 50) AS g;
INSERT INTO managers VALUES (999999.99, NULL, NULL, NULL, 'fine');
INSERT INTO codes VALUES ('SKU-1'), ('SKU-2');
ANALYZE;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader
