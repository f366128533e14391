-- Schema 1. Times are milliseconds since the epoch; `event` columns hold keys of events.
-- On the happy path an event costs two rows, one here and one in `outcome`, and no index: HOT marks what it touches.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each start of a host that accepted something: ids of events from `first_key` on carry `salt`.
CREATE TABLE salt (
    first_key INTEGER PRIMARY KEY,
    salt      INTEGER NOT NULL
) STRICT;

CREATE TABLE organization (
    key             INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    created_at      INTEGER NOT NULL,
    revision        INTEGER NOT NULL,
    allow_networks  TEXT NOT NULL, -- JSON: a list of what its targets may reach beyond public addresses
    component_bytes INTEGER NOT NULL DEFAULT 0 -- of all versions of its plugins that are not deleted
) STRICT;

CREATE TABLE api_key (
    id           BLOB PRIMARY KEY,
    digest       BLOB NOT NULL UNIQUE, -- SHA-256 of its text, which is not kept
    role         TEXT NOT NULL,
    organization INTEGER,
    inboxes      TEXT, -- JSON
    description  TEXT,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_of_organization ON api_key (organization);

-- AUTOINCREMENT: a key is never used again, since rows of outcomes outlive their integration.
CREATE TABLE integration (
    key          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           BLOB NOT NULL UNIQUE,
    organization INTEGER NOT NULL,
    version      INTEGER NOT NULL, -- counts its changes
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    deleted_at   INTEGER,
    stopped      INTEGER NOT NULL, -- 1: ten faults in a row have stopped its calls
    body         TEXT NOT NULL,    -- JSON: all but what is sealed
    sealed       BLOB              -- header values and signing secrets; NULL once deleted
) STRICT;
CREATE INDEX integration_of_organization ON integration (organization, key) WHERE deleted_at IS NULL;

-- What decides outcomes, as it stood from one revision to before another. `valid_until` stands first, so that what is in force is found
-- without reading what was.
CREATE TABLE integration_revision (
    organization INTEGER NOT NULL,
    valid_until  INTEGER NOT NULL, -- the greatest integer: still in force
    integration  INTEGER NOT NULL,
    valid_from   INTEGER NOT NULL,
    facts        TEXT NOT NULL, -- JSON
    PRIMARY KEY (organization, valid_until, integration)
) STRICT, WITHOUT ROWID;

CREATE TABLE plugin (
    key          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           BLOB NOT NULL UNIQUE,
    organization INTEGER NOT NULL, -- 0: the operator's or built in, for all
    name         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    follows      INTEGER NOT NULL DEFAULT 0, -- counts changes of integrations that follow it
    pins         INTEGER NOT NULL DEFAULT 0, -- counts changes of integrations that pin a version of it
    UNIQUE (organization, name)
) STRICT;

CREATE TABLE plugin_version (
    plugin     INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    digest     BLOB NOT NULL,
    contract   TEXT NOT NULL,
    schema     TEXT,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER, -- its row stays: what was run under it tells so, and its number means these bytes for ever
    PRIMARY KEY (plugin, version)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX plugin_version_of_digest ON plugin_version (digest, plugin);

-- Which version was active, by revisions of the plugin's owner: its organization's, or the host's.
CREATE TABLE plugin_active (
    plugin      INTEGER NOT NULL,
    valid_until INTEGER NOT NULL,
    valid_from  INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (plugin, valid_until)
) STRICT, WITHOUT ROWID;
CREATE INDEX plugin_active_of_version ON plugin_active (plugin, version, valid_until);

-- Which integrations name a plugin, or did: what of theirs is open from that time needs the version. Gone with the integration.
CREATE TABLE plugin_use (
    plugin      INTEGER NOT NULL,
    version     INTEGER NOT NULL, -- 0: the active one is followed
    integration INTEGER NOT NULL,
    valid_from  INTEGER NOT NULL, -- a revision of the integration's organization: the first one that said so
    valid_until INTEGER NOT NULL, -- the one that said otherwise; the greatest integer: still in force
    PRIMARY KEY (plugin, version, integration)
) STRICT, WITHOUT ROWID;
CREATE INDEX plugin_use_of_integration ON plugin_use (integration);

-- A component's bytes, in pieces, so that storing or removing a large one stalls no commit. It is whole once `component` has its row.
CREATE TABLE component (
    digest BLOB PRIMARY KEY,
    bytes  INTEGER NOT NULL -- -1: its pieces are being removed
) STRICT, WITHOUT ROWID;
CREATE INDEX component_leaving ON component (digest) WHERE bytes < 0;
CREATE TABLE component_piece (
    key    INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    number INTEGER NOT NULL,
    piece  BLOB NOT NULL,
    UNIQUE (digest, number)
) STRICT;

-- HOT: the promise. Everything else can be made again from it.
CREATE TABLE event (
    key           INTEGER PRIMARY KEY,
    organization  INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    host_revision INTEGER NOT NULL,
    owed          INTEGER NOT NULL, -- how many integrations matched
    payload       INTEGER NOT NULL, -- 0 present, 1 erased, 2 expired
    kind          TEXT NOT NULL,
    inbox         TEXT,
    project       TEXT,
    document      TEXT NOT NULL,
    client_id     TEXT,
    data          BLOB -- exactly as posted
) STRICT;

CREATE TABLE client_event (
    organization INTEGER NOT NULL,
    client_id    TEXT NOT NULL,
    event        INTEGER NOT NULL,
    digest       BLOB NOT NULL, -- of its kind, scopes and data
    PRIMARY KEY (organization, client_id)
) STRICT, WITHOUT ROWID;

-- Filled in bulk behind the setting `listed`; lists scan the few events above it.
CREATE TABLE listing (
    organization INTEGER NOT NULL,
    event        INTEGER NOT NULL,
    PRIMARY KEY (organization, event)
) STRICT, WITHOUT ROWID;

-- Generations above 0: orders to run an event's integration anew, under a later revision.
CREATE TABLE run_order (
    event         INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    integration   INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    host_revision INTEGER NOT NULL,
    salt          INTEGER NOT NULL,
    PRIMARY KEY (event, generation)
) STRICT, WITHOUT ROWID;

-- A whole integration's parked and queued runs are to be resumed, up to `until_event`: worked off in pieces.
CREATE TABLE resume (
    key           INTEGER PRIMARY KEY,
    integration   INTEGER NOT NULL,
    until_event   INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    host_revision INTEGER NOT NULL
) STRICT;

-- Runs that wait on disk and not in memory: the lane (integration, event, generation).
CREATE TABLE queue (
    integration INTEGER NOT NULL,
    event       INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    PRIMARY KEY (integration, event, generation)
) STRICT, WITHOUT ROWID;

-- HOT: one row for each request, written when its first attempt ends; one row for a run that ends without requests.
CREATE TABLE outcome (
    event        INTEGER NOT NULL,
    generation   INTEGER NOT NULL,
    integration  INTEGER NOT NULL,
    ordinal      INTEGER NOT NULL,
    organization INTEGER NOT NULL,
    state        INTEGER NOT NULL, -- below 16 a delivery's, from 16 on a run's: codes.rs
    recorded_at  INTEGER NOT NULL,
    requests     INTEGER, -- of ordinal 0: how many the run owes
    version      INTEGER, -- of ordinal 0: the plugin's version
    run_us       INTEGER, -- of ordinal 0: duration of the call
    memory_bytes INTEGER, -- of ordinal 0: peak of the call
    log          TEXT,    -- of ordinal 0
    code         TEXT,    -- of a parked run
    reason       TEXT,    -- of a parked or skipped run
    target       TEXT,    -- NULL: the default one
    digest       BLOB,    -- SHA-256 of the frozen request
    attempts     INTEGER, -- made so far
    counted      INTEGER, -- made since the schedule began, when that is not all of them
    due_at       INTEGER, -- of a waiting one
    status       INTEGER, -- of the last attempt's response
    duration_us  INTEGER, -- of the last attempt
    response     BLOB,    -- of the last attempt: what is kept of the body
    PRIMARY KEY (event, generation, integration, ordinal)
) STRICT, WITHOUT ROWID;

-- What went well is not in it, so that it costs nothing on the happy path.
CREATE INDEX outcome_open ON outcome (integration, state, event) WHERE state NOT IN (1, 16);
CREATE INDEX outcome_open_of_organization ON outcome (organization, state, event) WHERE state NOT IN (1, 16);

-- What waits for a target that is gone, removed or at its limit.
CREATE INDEX outcome_held ON outcome (integration, target, event, generation, ordinal) WHERE state = 4;

-- From a first failure on: the request as it is sent each time, and when it is sent next.
CREATE TABLE frozen (
    event       INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    integration INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    request     BLOB NOT NULL,
    PRIMARY KEY (event, generation, integration, ordinal)
) STRICT, WITHOUT ROWID;
CREATE TABLE due (
    integration INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    event       INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    PRIMARY KEY (integration, at, event, generation, ordinal)
) STRICT, WITHOUT ROWID;

-- Rows of attempts come with a first failure; a delivery taken at once tells its one attempt in its outcome row.
CREATE TABLE attempt (
    event       INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    integration INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    status      INTEGER, -- NULL: there was no response
    code        TEXT,    -- of a failure
    detail      TEXT,    -- of a failure
    response    BLOB,
    PRIMARY KEY (event, generation, integration, ordinal, number)
) STRICT, WITHOUT ROWID;

INSERT INTO setting VALUES ('mark', 0), ('listed', 0), ('host_revision', 0);
