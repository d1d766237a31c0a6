-- A database of version 1, as it was before there was a search index (user_version and
-- application_id are set at the end, as the program does).
BEGIN;
CREATE TABLE prompt (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE model (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, tokenizer_key TEXT);
CREATE TABLE conversation (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, title TEXT, title_by TEXT NOT NULL DEFAULT 'none', system_id INTEGER REFERENCES prompt (id), params_json TEXT, format TEXT, model_id INTEGER REFERENCES model (id), leaf_id INTEGER REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED, pinned INTEGER NOT NULL DEFAULT 0, draft TEXT NOT NULL DEFAULT '', created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, deleted_ms INTEGER);
CREATE TABLE message (id INTEGER PRIMARY KEY, conversation_id INTEGER NOT NULL REFERENCES conversation (id) ON DELETE CASCADE, parent_id INTEGER REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED, role TEXT NOT NULL CHECK (role IN ('user', 'assistant')), text TEXT NOT NULL, thinking TEXT NOT NULL DEFAULT '', status TEXT NOT NULL CHECK (status IN ('streaming', 'complete', 'stopped', 'length', 'context', 'failed')), excluded INTEGER NOT NULL DEFAULT 0, selected_child_id INTEGER REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED, system_id INTEGER REFERENCES prompt (id), model_id INTEGER REFERENCES model (id), params_json TEXT, seed INTEGER, ids BLOB, tokenizer_key TEXT, end_id INTEGER, n_reused INTEGER NOT NULL DEFAULT 0, n_computed INTEGER NOT NULL DEFAULT 0, first_ms INTEGER NOT NULL DEFAULT 0, total_ms INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL);
CREATE INDEX message_conversation ON message (conversation_id);
CREATE INDEX message_parent ON message (parent_id);
CREATE INDEX message_streaming ON message (updated_ms) WHERE status = 'streaming';
CREATE TABLE history (id INTEGER PRIMARY KEY, text TEXT NOT NULL, created_ms INTEGER NOT NULL);
CREATE INDEX history_text ON history (text);
CREATE TABLE value (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO prompt VALUES (1, '丁寧に答えてください。');
INSERT INTO model VALUES (1, 'tiny', 'tiny', 'abc123');
INSERT INTO conversation VALUES (1, '0123456789abcdef0123456789abcdef', '東京の天気', 'user', 1, '{"temperature":0.25,"top_k":7,"seed":42,"max_tokens":99}', NULL, 1, 3, 1, 'もう少し', 1700000000000, 1700000005000, NULL);
INSERT INTO message VALUES (1, 1, NULL, 'user', '東京の天気は？', '', 'complete', 0, 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 1700000001000, 1700000001000);
INSERT INTO message VALUES (2, 1, 1, 'assistant', '雨です。', '', 'complete', 0, NULL, 1, 1, '{"temperature":0.25}', 41, X'0500000006000000', 'abc123', 2, 3, 4, 50, 60, 1700000002000, 1700000002000);
INSERT INTO message VALUES (3, 1, 1, 'assistant', '晴れで', '', 'streaming', 0, NULL, 1, 1, '{"temperature":0.25}', 42, X'07000000', 'abc123', NULL, 3, 4, 0, 0, 1700000003000, 1700000004000);
INSERT INTO history VALUES (1, '東京の天気は？', 1700000001000);
INSERT INTO value VALUES ('last-model', '/models/tiny');
PRAGMA application_id = 1801546103;
PRAGMA user_version = 1;
COMMIT;
