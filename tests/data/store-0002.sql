-- A store as hbc made it before adverse events had an origin (revision 0002): a session that was broken off with an
-- event in its log, another event written by hand afterwards, and a score. As sqlite3's dump wrote it.
BEGIN TRANSACTION;
CREATE TABLE "adverse_event" (
	id INTEGER NOT NULL, 
	patient_id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	severity VARCHAR(20) NOT NULL, 
	text TEXT NOT NULL, 
	"by" VARCHAR(80) NOT NULL, 
	visit_id INTEGER, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_event_visit FOREIGN KEY(visit_id) REFERENCES visit (id) ON DELETE SET NULL, 
	FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE
);
INSERT INTO "adverse_event" VALUES(1,1,'2026-03-02 09:42:00.000000','headache','mild','left side','AJ',1);
INSERT INTO "adverse_event" VALUES(2,1,'2026-03-02 09:47:00.000000','syncope','moderate','pale, on the stairs','AJ',1);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	who VARCHAR(80) NOT NULL, 
	what VARCHAR(200) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audit" VALUES(1,'2026-11-23 01:09:20.995892','AJ','patient 1 added','87755806148e6aa065451e6029e863bb03f965907e4cde323af42cd8563cfe1d');
INSERT INTO "audit" VALUES(2,'2026-11-23 01:09:21.266267','AJ','visit 1 of patient 1 planned','11e55f2d016cd0fa5de80062e76cfe0739da960af947bcfab2b6a56ff3d57277');
INSERT INTO "audit" VALUES(3,'2026-11-23 01:09:21.283092','AJ','visit 1 of patient 1 begun','bb282d32a53e754e127a115a8813f5c3983c02b4c179caf07f01cd6199e4b85f');
INSERT INTO "audit" VALUES(4,'2026-11-23 01:09:21.327451','AJ','visit 1 of patient 1 stopped','9998acd9735bd10e39c0a6bc20725b3f28b54bfea3ca6a535cce7a440371c02c');
INSERT INTO "audit" VALUES(5,'2026-11-23 01:09:21.335304','AJ','adverse event added to patient 1','69872e9fcdf04f2c47581aea1901004c966e00a2ae27d00079799d5d7f4297ef');
INSERT INTO "audit" VALUES(6,'2026-11-23 01:09:21.344160','AJ','score added to patient 1','2c04afc4191fb57c08bf7e303a4ca22e7af58f8bf6c2a34c6165e6043145390d');
CREATE TABLE box (
	id INTEGER NOT NULL, 
	unique_id VARCHAR(40) NOT NULL, 
	board VARCHAR(80) NOT NULL, 
	firmware VARCHAR(40) NOT NULL, 
	first_seen DATETIME NOT NULL, 
	last_seen DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (unique_id)
);
INSERT INTO "box" VALUES(1,'a1b2','ESP32 generic','0.1.0','2026-03-02 09:42:00.000000','2026-03-02 09:42:00.000000');
CREATE TABLE motor_threshold (
	id INTEGER NOT NULL, 
	patient_id INTEGER NOT NULL, 
	"on" DATE NOT NULL, 
	mso_pct FLOAT NOT NULL, 
	method VARCHAR(80) NOT NULL, 
	"by" VARCHAR(80) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE
);
INSERT INTO "motor_threshold" VALUES(1,1,'2026-03-02',50.0,'visible twitch','AJ');
CREATE TABLE patient (
	id INTEGER NOT NULL, 
	pseudonym VARCHAR(32) NOT NULL, 
	number INTEGER NOT NULL, 
	added DATETIME NOT NULL, 
	diagnosis VARCHAR(20) NOT NULL, 
	sex VARCHAR(1) NOT NULL, 
	birth_year INTEGER, 
	medication TEXT NOT NULL, 
	therapy TEXT NOT NULL, 
	approval VARCHAR(200) NOT NULL, retain_until DATE, 
	PRIMARY KEY (id), 
	UNIQUE (pseudonym), 
	UNIQUE (number)
);
INSERT INTO "patient" VALUES(1,'P-1',1,'2026-11-23 01:09:20.988006','depression','',1984,'','','',NULL);
CREATE TABLE rating (
	id INTEGER NOT NULL, 
	visit_id INTEGER NOT NULL, 
	site VARCHAR(40) NOT NULL, 
	value FLOAT NOT NULL, 
	at DATETIME, 
	PRIMARY KEY (id), 
	FOREIGN KEY(visit_id) REFERENCES visit (id) ON DELETE CASCADE
);
INSERT INTO "rating" VALUES(1,1,'BF3-L',3.0,'2026-03-02 09:42:00.000000');
CREATE TABLE role (
	login VARCHAR(80) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	PRIMARY KEY (login)
);
CREATE TABLE run (
	id INTEGER NOT NULL, 
	visit_id INTEGER NOT NULL, 
	run_n INTEGER NOT NULL, 
	site VARCHAR(40) NOT NULL, 
	rule VARCHAR(20) NOT NULL, 
	side VARCHAR(10) NOT NULL, 
	control BOOLEAN NOT NULL, 
	measures JSON NOT NULL, 
	space VARCHAR(80) NOT NULL, 
	source VARCHAR(200) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (visit_id, run_n), 
	FOREIGN KEY(visit_id) REFERENCES visit (id) ON DELETE CASCADE
);
INSERT INTO "run" VALUES(1,1,1,'BF3-L','Beam F3','left',0,'{}','','');
INSERT INTO "run" VALUES(2,1,2,'5CM-L','5 cm','left',0,'{"anterior_cm": 5.0}','','');
INSERT INTO "run" VALUES(3,1,3,'5CM-R','5 cm','right',1,'{"anterior_cm": 5.0}','','');
INSERT INTO "run" VALUES(4,1,4,'BF3-R','Beam F3','right',0,'{}','','');
CREATE TABLE score (
	id INTEGER NOT NULL, 
	patient_id INTEGER NOT NULL, 
	"on" DATE NOT NULL, 
	scale VARCHAR(20) NOT NULL, 
	total FLOAT NOT NULL, 
	treatment_n INTEGER, series_n INTEGER DEFAULT '1' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (patient_id, "on", scale), 
	FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE
);
INSERT INTO "score" VALUES(1,1,'2026-03-02','PHQ-9',20.0,0,1);
CREATE TABLE screening (
	id INTEGER NOT NULL, 
	patient_id INTEGER NOT NULL, 
	"on" DATE NOT NULL, 
	answers JSON NOT NULL, 
	flags JSON NOT NULL, 
	stops JSON NOT NULL, 
	override_by VARCHAR(80) NOT NULL, 
	override_reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE
);
INSERT INTO "screening" VALUES(1,1,'2026-03-01','{"cochlear_implant": false, "brain_or_nerve_stimulator": false, "pacemaker": false, "medication_pump": false, "metal_in_head": false, "seizure_risk": false, "recent_stroke": false, "pregnancy": false, "syncope": false, "arrhythmia": false, "beta_blocker": false, "slow_heart": false, "crisis": false, "hearing_loss": false, "psychosis": false}','[]','[]','','');
CREATE TABLE setting (
	name VARCHAR(40) NOT NULL, 
	value VARCHAR(200) NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE step (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	step_n INTEGER NOT NULL, 
	intensity_mso_pct FLOAT NOT NULL, 
	trains_planned_n INTEGER NOT NULL, 
	pulses_planned_n INTEGER NOT NULL, 
	trains_n INTEGER, 
	pulses_n INTEGER, 
	PRIMARY KEY (id), 
	UNIQUE (run_id, step_n), 
	FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "step" VALUES(1,1,1,30.0,1,50,1,50);
INSERT INTO "step" VALUES(2,1,2,32.0,1,50,1,49);
INSERT INTO "step" VALUES(3,1,3,34.0,1,50,0,0);
INSERT INTO "step" VALUES(4,1,4,36.0,1,50,0,0);
INSERT INTO "step" VALUES(5,1,5,38.0,1,50,0,0);
INSERT INTO "step" VALUES(6,1,6,40.0,1,50,0,0);
INSERT INTO "step" VALUES(7,1,7,42.0,1,50,0,0);
INSERT INTO "step" VALUES(8,1,8,44.0,1,50,0,0);
INSERT INTO "step" VALUES(9,1,9,46.0,1,50,0,0);
INSERT INTO "step" VALUES(10,1,10,48.0,1,50,0,0);
INSERT INTO "step" VALUES(11,1,11,50.0,1,50,0,0);
INSERT INTO "step" VALUES(12,1,12,52.0,1,50,0,0);
INSERT INTO "step" VALUES(13,1,13,54.0,1,50,0,0);
INSERT INTO "step" VALUES(14,1,14,56.0,1,50,0,0);
INSERT INTO "step" VALUES(15,1,15,58.0,1,50,0,0);
INSERT INTO "step" VALUES(16,2,1,30.0,1,50,0,0);
INSERT INTO "step" VALUES(17,2,2,32.0,1,50,0,0);
INSERT INTO "step" VALUES(18,2,3,34.0,1,50,0,0);
INSERT INTO "step" VALUES(19,2,4,36.0,1,50,0,0);
INSERT INTO "step" VALUES(20,2,5,38.0,1,50,0,0);
INSERT INTO "step" VALUES(21,2,6,40.0,1,50,0,0);
INSERT INTO "step" VALUES(22,2,7,42.0,1,50,0,0);
INSERT INTO "step" VALUES(23,2,8,44.0,1,50,0,0);
INSERT INTO "step" VALUES(24,2,9,46.0,1,50,0,0);
INSERT INTO "step" VALUES(25,2,10,48.0,1,50,0,0);
INSERT INTO "step" VALUES(26,2,11,50.0,1,50,0,0);
INSERT INTO "step" VALUES(27,2,12,52.0,1,50,0,0);
INSERT INTO "step" VALUES(28,2,13,54.0,1,50,0,0);
INSERT INTO "step" VALUES(29,2,14,56.0,1,50,0,0);
INSERT INTO "step" VALUES(30,2,15,58.0,1,50,0,0);
INSERT INTO "step" VALUES(31,3,1,30.0,1,50,0,0);
INSERT INTO "step" VALUES(32,3,2,32.0,1,50,0,0);
INSERT INTO "step" VALUES(33,3,3,34.0,1,50,0,0);
INSERT INTO "step" VALUES(34,3,4,36.0,1,50,0,0);
INSERT INTO "step" VALUES(35,3,5,38.0,1,50,0,0);
INSERT INTO "step" VALUES(36,3,6,40.0,1,50,0,0);
INSERT INTO "step" VALUES(37,3,7,42.0,1,50,0,0);
INSERT INTO "step" VALUES(38,3,8,44.0,1,50,0,0);
INSERT INTO "step" VALUES(39,3,9,46.0,1,50,0,0);
INSERT INTO "step" VALUES(40,3,10,48.0,1,50,0,0);
INSERT INTO "step" VALUES(41,3,11,50.0,1,50,0,0);
INSERT INTO "step" VALUES(42,3,12,52.0,1,50,0,0);
INSERT INTO "step" VALUES(43,3,13,54.0,1,50,0,0);
INSERT INTO "step" VALUES(44,3,14,56.0,1,50,0,0);
INSERT INTO "step" VALUES(45,3,15,58.0,1,50,0,0);
INSERT INTO "step" VALUES(46,4,1,30.0,1,50,0,0);
INSERT INTO "step" VALUES(47,4,2,32.0,1,50,0,0);
INSERT INTO "step" VALUES(48,4,3,34.0,1,50,0,0);
INSERT INTO "step" VALUES(49,4,4,36.0,1,50,0,0);
INSERT INTO "step" VALUES(50,4,5,38.0,1,50,0,0);
INSERT INTO "step" VALUES(51,4,6,40.0,1,50,0,0);
INSERT INTO "step" VALUES(52,4,7,42.0,1,50,0,0);
INSERT INTO "step" VALUES(53,4,8,44.0,1,50,0,0);
INSERT INTO "step" VALUES(54,4,9,46.0,1,50,0,0);
INSERT INTO "step" VALUES(55,4,10,48.0,1,50,0,0);
INSERT INTO "step" VALUES(56,4,11,50.0,1,50,0,0);
INSERT INTO "step" VALUES(57,4,12,52.0,1,50,0,0);
INSERT INTO "step" VALUES(58,4,13,54.0,1,50,0,0);
INSERT INTO "step" VALUES(59,4,14,56.0,1,50,0,0);
INSERT INTO "step" VALUES(60,4,15,58.0,1,50,0,0);
CREATE TABLE "visit" (
	id INTEGER NOT NULL, 
	patient_id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	treatment_n INTEGER, 
	folder TEXT NOT NULL, 
	operator VARCHAR(80) NOT NULL, 
	supervisor VARCHAR(80) NOT NULL, 
	second_person VARCHAR(80) NOT NULL, 
	state JSON NOT NULL, 
	result JSON NOT NULL, 
	uid VARCHAR(32) NOT NULL, 
	visit_n INTEGER NOT NULL, 
	status VARCHAR(20) DEFAULT 'finished' NOT NULL, 
	ended_at DATETIME, 
	practice BOOLEAN DEFAULT 0 NOT NULL, 
	series_n INTEGER DEFAULT '1' NOT NULL, 
	approval VARCHAR(200) DEFAULT ('') NOT NULL, 
	language VARCHAR(5) DEFAULT 'en' NOT NULL, 
	protocol VARCHAR(40) DEFAULT ('') NOT NULL, 
	protocol_sha256 VARCHAR(64) DEFAULT ('') NOT NULL, 
	protocol_signed_by VARCHAR(40) DEFAULT ('') NOT NULL, 
	pulses_elsewhere_n INTEGER DEFAULT '0' NOT NULL, 
	pulses_planned_n INTEGER, 
	pulses_delivered_n INTEGER, 
	notes JSON DEFAULT '[]' NOT NULL, 
	box_id INTEGER, 
	threshold_id INTEGER, 
	screening_id INTEGER, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_visit_threshold FOREIGN KEY(threshold_id) REFERENCES motor_threshold (id) ON DELETE SET NULL, 
	CONSTRAINT fk_visit_screening FOREIGN KEY(screening_id) REFERENCES screening (id) ON DELETE SET NULL, 
	CONSTRAINT fk_visit_box FOREIGN KEY(box_id) REFERENCES box (id), 
	CONSTRAINT uq_visit_uid UNIQUE (uid), 
	UNIQUE (patient_id, folder, at), 
	FOREIGN KEY(patient_id) REFERENCES patient (id) ON DELETE CASCADE
);
INSERT INTO "visit" VALUES(1,1,'2026-03-02 09:30:00.000000',NULL,'/recordings/P-1/1','AJ','BdV','CM','{"note": ""}','{}','0123456789abcdef0123456789abcdef',1,'stopped','2026-03-02 09:42:00.000000',0,1,'','en','ramp','0324667b5109d43ee80b2429ffb4dae103b72a9576edaea62b2493f8b5c1ded7','A. Jansen',0,3000,99,'["remark: coil moved once"]',1,1,1);
COMMIT;
