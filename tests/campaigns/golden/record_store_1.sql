BEGIN TRANSACTION;
CREATE TABLE bayeswell_events (
  stream TEXT NOT NULL CHECK (typeof(stream) IN ('text')),
  sequence INTEGER NOT NULL CHECK (typeof(sequence) IN ('integer')),
  kind TEXT NOT NULL CHECK (typeof(kind) IN ('text')),
  payload TEXT NOT NULL CHECK (typeof(payload) IN ('text')),
  occurred_at TEXT NOT NULL CHECK (typeof(occurred_at) IN ('text')),
  recorded_at TEXT NOT NULL CHECK (typeof(recorded_at) IN ('text')),
  actor TEXT NOT NULL CHECK (typeof(actor) IN ('text')),
  actor_name TEXT NOT NULL CHECK (typeof(actor_name) IN ('text')),
  actor_kind TEXT NOT NULL CHECK (typeof(actor_kind) IN ('text')),
  on_behalf_of TEXT CHECK (typeof(on_behalf_of) IN ('text', 'null')),
  reason TEXT CHECK (typeof(reason) IN ('text', 'null')),
  idempotency_key TEXT CHECK (typeof(idempotency_key) IN ('text', 'null')),
  format_version INTEGER NOT NULL CHECK (typeof(format_version) IN ('integer')),
  previous_hash TEXT NOT NULL CHECK (typeof(previous_hash) IN ('text')),
  hash TEXT NOT NULL CHECK (typeof(hash) IN ('text')),
  PRIMARY KEY (stream, sequence)
) WITHOUT ROWID;
INSERT INTO "bayeswell_events" VALUES('campaign/growth medium',1,'campaign-created','{"factors":[{"high":1e-7,"low":0.002,"name":"feed rate","step":null,"unit":"mL/h"},{"high":37.5,"low":30,"name":"temperature","unit":"°C"}],"name":"growth medium","seed":"340282366920938463463374607431768211455","😀":"\u0000 \"\\","ﬁ":[100000000000000000000,1e+21,5e-324,-1.5,true]}','2025-03-01T08:01:00.000000+00:00','2025-03-01T08:01:00.000000+00:00','system','Bayeswell','system',NULL,NULL,NULL,3,'0000000000000000000000000000000000000000000000000000000000000000','eb606e5688bbb2b95dcadc5e63652ca79e04e47c835fb9db63c77a95f3a540b7');
INSERT INTO "bayeswell_events" VALUES('campaign/growth medium',2,'measurement-corrected','{"note":"µ ✓","run":1,"unit":"g/(L h)","value":1.5}','2025-03-01T07:00:00.000000+00:00','2025-03-01T08:02:00.000000+00:00','ana','Ana Müller','person','bob','transcription error in the notebook','act-1',2,'eb606e5688bbb2b95dcadc5e63652ca79e04e47c835fb9db63c77a95f3a540b7','9ce38ce263a7e297eee2547f920182a6c7496fecbf5f526780c682d4d3c92644');
INSERT INTO "bayeswell_events" VALUES('campaign/growth medium',3,'run-failed','{}','2025-03-01T13:30:00.000000+05:30','2025-03-01T08:02:00.000000+00:00','ana','Ana Müller','person',NULL,'probe broke
see logbook',NULL,1,'9ce38ce263a7e297eee2547f920182a6c7496fecbf5f526780c682d4d3c92644','766eace057f7faac3da17c26966ed2454e0979a732302c59e2894db47b6928bf');
CREATE TABLE bayeswell_heads (
  stream TEXT NOT NULL CHECK (typeof(stream) IN ('text')),
  sequence INTEGER NOT NULL CHECK (typeof(sequence) IN ('integer')),
  hash TEXT NOT NULL CHECK (typeof(hash) IN ('text')),
  PRIMARY KEY (stream)
) WITHOUT ROWID;
INSERT INTO "bayeswell_heads" VALUES('campaign/growth medium',3,'766eace057f7faac3da17c26966ed2454e0979a732302c59e2894db47b6928bf');
CREATE TABLE bayeswell_store (
  format_version INTEGER NOT NULL CHECK (typeof(format_version) IN ('integer')),
  PRIMARY KEY (format_version)
) WITHOUT ROWID;
INSERT INTO "bayeswell_store" VALUES(1);
CREATE UNIQUE INDEX bayeswell_events_key ON bayeswell_events (stream, idempotency_key)
WHERE idempotency_key IS NOT NULL;
CREATE TRIGGER bayeswell_events_follow BEFORE INSERT ON bayeswell_events
WHEN NEW.sequence IS NOT coalesce(
  (SELECT sequence FROM bayeswell_heads WHERE stream = NEW.stream), 0) + 1
OR NEW.previous_hash IS NOT coalesce(
  (SELECT hash FROM bayeswell_heads WHERE stream = NEW.stream), '0000000000000000000000000000000000000000000000000000000000000000')
OR EXISTS (SELECT 1 FROM bayeswell_events WHERE stream = NEW.stream
  AND (sequence = NEW.sequence OR idempotency_key = NEW.idempotency_key))
BEGIN
  SELECT RAISE(ABORT, 'Bayeswell: an event has to follow the last event of its stream.');
END;
CREATE TRIGGER bayeswell_events_move_head AFTER INSERT ON bayeswell_events
BEGIN
  INSERT INTO bayeswell_heads (stream, sequence, hash)
  SELECT NEW.stream, NEW.sequence, NEW.hash WHERE NEW.sequence = 1;
  UPDATE bayeswell_heads SET sequence = NEW.sequence, hash = NEW.hash
  WHERE stream = NEW.stream AND sequence < NEW.sequence;
END;
CREATE TRIGGER bayeswell_heads_begin BEFORE INSERT ON bayeswell_heads
WHEN NEW.sequence IS NOT 1
OR EXISTS (SELECT 1 FROM bayeswell_heads WHERE stream = NEW.stream)
OR NOT EXISTS (SELECT 1 FROM bayeswell_events
  WHERE stream = NEW.stream AND sequence = 1 AND hash = NEW.hash)
BEGIN
  SELECT RAISE(ABORT, 'Bayeswell: a head moves one event forward, with its event.');
END;
CREATE TRIGGER bayeswell_heads_move BEFORE UPDATE ON bayeswell_heads
WHEN NEW.stream IS NOT OLD.stream OR NEW.sequence IS NOT OLD.sequence + 1
OR NOT EXISTS (SELECT 1 FROM bayeswell_events WHERE stream = NEW.stream
  AND sequence = NEW.sequence AND hash = NEW.hash AND previous_hash = OLD.hash)
BEGIN
  SELECT RAISE(ABORT, 'Bayeswell: a head moves one event forward, with its event.');
END;
CREATE TRIGGER bayeswell_store_once BEFORE INSERT ON bayeswell_store
WHEN EXISTS (SELECT 1 FROM bayeswell_store)
BEGIN
  SELECT RAISE(ABORT, 'Bayeswell: the record is append-only, it is neither changed nor deleted.');
END;
CREATE TRIGGER bayeswell_events_no_update BEFORE UPDATE ON bayeswell_events
BEGIN
  SELECT RAISE(ABORT, 'Bayeswell: the record is append-only, it is neither changed nor deleted.');
END;
CREATE TRIGGER bayeswell_events_no_delete BEFORE DELETE ON bayeswell_events
BEGIN
  SELECT RAISE(ABORT, 'Bayeswell: the record is append-only, it is neither changed nor deleted.');
END;
CREATE TRIGGER bayeswell_heads_no_delete BEFORE DELETE ON bayeswell_heads
BEGIN
  SELECT RAISE(ABORT, 'Bayeswell: the record is append-only, it is neither changed nor deleted.');
END;
CREATE TRIGGER bayeswell_store_no_update BEFORE UPDATE ON bayeswell_store
BEGIN
  SELECT RAISE(ABORT, 'Bayeswell: the record is append-only, it is neither changed nor deleted.');
END;
CREATE TRIGGER bayeswell_store_no_delete BEFORE DELETE ON bayeswell_store
BEGIN
  SELECT RAISE(ABORT, 'Bayeswell: the record is append-only, it is neither changed nor deleted.');
END;
COMMIT;
