//! The tables of the embedded store, and how a file is known to be one.

use rusqlite::Connection;

/// `application_id` in the file's header: "Slui".
pub(crate) const APPLICATION: i64 = 0x536c_7569;

/// The newest schema that this version writes and reads.
pub(crate) const VERSION: i64 = 1;

/// How long a writer waits for another process, in milliseconds. A commit takes some; an import's longest
/// transaction stays well under a second.
const BUSY_MILLISECONDS: u32 = 5_000;

/// `revisions` and `blobs` have a rowid, so that both grow at their end: rows hold up to megabytes, and a table
/// without rowid would keep those inside its search tree and rewrite pages all over it. The rowid of a
/// revision is its position. `heads` is derived: `derived` says up to which position, and it can be emptied
/// at any time. Its rows are small and found by key only, so they need no rowid.
const TABLES: &str = "
    CREATE TABLE revisions (
        position  INTEGER PRIMARY KEY,
        workspace TEXT NOT NULL,
        stream    TEXT NOT NULL,
        revision  INTEGER NOT NULL CHECK (revision >= 1),
        body      BLOB NOT NULL,
        leaf      BLOB NOT NULL CHECK (length(leaf) = 32),
        writer    TEXT NOT NULL,
        UNIQUE (workspace, stream, revision)
    ) STRICT;
    CREATE TABLE blobs (
        number    INTEGER PRIMARY KEY,
        workspace TEXT NOT NULL,
        digest    BLOB NOT NULL CHECK (length(digest) = 32),
        bytes     BLOB NOT NULL,
        UNIQUE (workspace, digest)
    ) STRICT;
    CREATE TABLE heads (
        workspace TEXT NOT NULL,
        stream    TEXT NOT NULL,
        revision  INTEGER NOT NULL,
        position  INTEGER NOT NULL,
        PRIMARY KEY (workspace, stream)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE derived (
        workspace TEXT NOT NULL,
        name      TEXT NOT NULL,
        position  INTEGER NOT NULL,
        PRIMARY KEY (workspace, name)
    ) STRICT, WITHOUT ROWID;
";

/// Sets up a connection that writes: every commit is on the disk before it is acknowledged.
pub(crate) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "busy_timeout", BUSY_MILLISECONDS)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    restrain(connection)
}

/// What a file that somebody else made cannot talk a connection into.
pub(crate) fn restrain(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// Whether the file holds nothing at all.
pub(crate) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && identity(connection)? == (0, 0))
}

/// Makes the tables in an empty file; false when it is no longer empty.
pub(crate) fn create(connection: &mut Connection) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if !is_empty(&transaction)? {
        return Ok(false);
    }
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(true)
}

/// What the header says: application and schema number.
pub(crate) fn identity(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let read = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((read("application_id")?, read("user_version")?))
}
