-- Secrets of webhooks lie sealed from here on. What `secret` still holds is sealed by the first
-- program that starts, which has the key, and is '' then.
alter table webhooks add column sealed text not null default '';
