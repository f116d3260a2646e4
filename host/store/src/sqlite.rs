//! The embedded store: one SQLite file.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};
use sluice_model::Digest;

use crate::name::ABOVE_ALL;
use crate::port::{self, Appended, Head, NewRevision, Order, Revision, Store};
use crate::{AppendError, StoreError, StreamName, WorkspaceId, failpoint, schema};

/// A workspace in a file, through one connection. Any number of processes may have the file open.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Mutex<Connection>,
    path: PathBuf,
    workspace: WorkspaceId,
    writable: bool,
    /// Holds the copy that a read-only store reads, where the file alone did not tell all.
    _copy: Option<tempfile::TempDir>,
}

const REVISION_COLUMNS: &str = "stream, revision, body, leaf, writer, position";

/// Heads by workspace, from a name up to another; each statement takes the index's position as well.
const HEADS_OF_INDEX: &str = "
    SELECT stream, revision, position FROM heads
    WHERE workspace = ?1 AND stream >= ?2 AND stream < ?3 AND ?4 >= 0 ORDER BY stream";

const HEADS_OF_INDEX_AND_REST: &str = "
    SELECT stream, max(revision), max(position) FROM (
        SELECT stream, revision, position FROM heads
        WHERE workspace = ?1 AND stream >= ?2 AND stream < ?3 AND ?4 > 0
        UNION ALL
        SELECT stream, revision, position FROM revisions
        WHERE +workspace = ?1 AND position > ?4 AND +stream >= ?2 AND +stream < ?3
    ) GROUP BY stream ORDER BY stream";

const HEADS_OF_REVISIONS: &str = "
    SELECT stream, max(revision), max(position) FROM revisions
    WHERE workspace = ?1 AND stream >= ?2 AND stream < ?3 AND ?4 >= 0 GROUP BY stream ORDER BY stream";

/// A stream whose newest row, as derived from the rows, is not what the rows' own index leads to when it is
/// searched as [`Store::head`] does: in a damaged index another search may find other rows.
const HIDDEN: &str = "
    SELECT stream FROM heads WHERE workspace = ?1 AND (revision, position) IS NOT (
        SELECT revision, position FROM revisions
        WHERE workspace = heads.workspace AND stream = heads.stream AND revision <= ?2
        ORDER BY revision DESC LIMIT 1
    ) LIMIT 1";

impl SqliteStore {
    /// Makes the store, where no file is, and opens it. A file that an interrupted `create` left empty is
    /// taken.
    ///
    /// # Errors
    /// When something is there, or the file cannot be made.
    pub fn create(path: &Path, workspace: WorkspaceId) -> Result<Self, StoreError> {
        let there = || StoreError::AlreadyThere { path: path.to_owned() };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(path, flags).map_err(|error| explain(path, &error))?;
        if !schema::is_empty(&connection).map_err(|_| there())? {
            return Err(there());
        }
        schema::configure(&connection).map_err(|error| explain(path, &error))?;
        // Of two that create at the same time, one finds the tables made.
        if !schema::create(&mut connection).map_err(|error| explain(path, &error))? {
            return Err(there());
        }
        Ok(Self::over(connection, path, workspace, true, None))
    }

    /// Opens the file, after a look at its header, its schema and its newest rows: each stream's newest revision
    /// must be found. [`check`](Self::check) reads all of it.
    ///
    /// # Errors
    /// When there is no file, it is not a store, a newer Sluice wrote it, or it is damaged.
    pub fn open(path: &Path, workspace: WorkspaceId) -> Result<Self, StoreError> {
        present(path)?;
        let connection = connect(path)?;
        identify(path, &connection)?;
        schema::configure(&connection).map_err(|error| explain(path, &error))?;
        let store = Self::over(connection, path, workspace, true, None);
        store.look()?;
        store.find_heads()?;
        Ok(store)
    }

    /// Opens a copied file to judge it. Nothing is written to it or beside it; what a write-ahead log beside
    /// it holds is read from a private copy of both.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_read_only(path: &Path, workspace: WorkspaceId) -> Result<Self, StoreError> {
        let (connection, copy) = connect_read_only(path)?;
        let store = Self::over(connection, path, workspace, false, copy);
        store.look()?;
        Ok(store)
    }

    /// The workspaces that have revisions in a file, which is only read.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn workspaces_in(path: &Path) -> Result<Vec<WorkspaceId>, StoreError> {
        let (connection, _copy) = connect_read_only(path)?;
        let names = connection
            .prepare("SELECT DISTINCT workspace FROM revisions ORDER BY workspace")
            .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>())
            .map_err(|error| explain(path, &error))?;
        names
            .into_iter()
            .map(WorkspaceId::new)
            .collect::<Result<_, _>>()
            .map_err(|error| StoreError::DamagedFile { path: path.to_owned(), detail: error.to_string() })
    }

    /// Reads the whole file and checks its structure and the digest of every blob. Takes time in proportion to
    /// its size.
    ///
    /// # Errors
    /// [`StoreError::DamagedFile`] or [`StoreError::Damaged`] with the first thing found.
    pub fn check(&self) -> Result<(), StoreError> {
        let connection = self.connection();
        let found: String = connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(|error| self.explain(&error))?;
        if found != "ok" {
            let detail = found.split_whitespace().collect::<Vec<_>>().join(" ");
            return Err(StoreError::DamagedFile { path: self.path.clone(), detail });
        }
        let mut query = connection
            .prepare("SELECT digest, bytes FROM blobs WHERE workspace = ?1")
            .map_err(|error| self.explain(&error))?;
        let mut rows = query.query([self.workspace.as_str()]).map_err(|error| self.explain(&error))?;
        while let Some(row) = rows.next().map_err(|error| self.explain(&error))? {
            let blob = row
                .get(0)
                .and_then(|digest| Ok((Digest::from_bytes(digest), row.get::<_, Vec<u8>>(1)?)))
                .map_err(|error| self.explain(&error))?;
            verified(&blob.0, blob.1)?;
        }
        Ok(())
    }

    fn over(
        connection: Connection,
        path: &Path,
        workspace: WorkspaceId,
        writable: bool,
        copy: Option<tempfile::TempDir>,
    ) -> Self {
        let path = path.to_owned();
        Self { connection: Mutex::new(connection), path, workspace, writable, _copy: copy }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic interrupted was rolled back when it was dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn explain(&self, error: &rusqlite::Error) -> StoreError {
        explain(&self.path, error)
    }

    fn writable(&self) -> Result<(), StoreError> {
        if self.writable { Ok(()) } else { Err(StoreError::ReadOnly { path: self.path.clone() }) }
    }

    /// The cheap part of [`check`](Self::check): the newest revision and blob can be read.
    fn look(&self) -> Result<(), StoreError> {
        let newest = format!("SELECT {REVISION_COLUMNS} FROM revisions ORDER BY position DESC LIMIT 1");
        self.select(&newest, params![])?;
        self.connection()
            .query_row("SELECT bytes FROM blobs ORDER BY number DESC LIMIT 1", [], |row| {
                row.get::<_, Vec<u8>>(0)
            })
            .optional()
            .map_err(|error| self.explain(&error))?;
        Ok(())
    }

    fn select(&self, sql: &str, with: &[&dyn rusqlite::ToSql]) -> Result<Vec<Revision>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(sql).map_err(|error| self.explain(&error))?;
        query.query_map(with, revision_of).and_then(Iterator::collect).map_err(|error| self.explain(&error))
    }

    /// Refuses a file whose index hides a stream's newest revision: what would be written after an older one
    /// would have its number. The derived heads come from the rows alone, so that the two tell on each other.
    fn find_heads(&self) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let damaged = |detail| Err(StoreError::DamagedFile { path: self.path.clone(), detail });
        // In one look, so that another process's first insert is in both or in neither.
        let (newest, derived) = connection
            .transaction()
            .and_then(|look| positions(&look, self.workspace.as_str()))
            .map_err(|error| self.explain(&error))?;
        if newest == 0 && derived > 0 {
            return damaged("all of its revisions are gone".to_owned());
        }
        match self.hidden(&mut connection).map_err(|error| self.explain(&error))? {
            None => Ok(()),
            Some(stream) => damaged(format!("its index does not lead to the newest revision of `{stream}`")),
        }
    }

    fn hidden(&self, connection: &mut Connection) -> rusqlite::Result<Option<String>> {
        let workspace = self.workspace.as_str();
        let find = |connection: &Connection| {
            connection
                .query_row(HIDDEN, params![workspace, i64::MAX], |row| row.get::<_, String>(0))
                .optional()
        };
        self.derive_heads(connection)?;
        if find(connection)?.is_none() {
            return Ok(None);
        }
        // It may be the derived heads that are wrong: what is derived is made anew before it is believed.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM heads WHERE workspace = ?1", [workspace])?;
        transaction.execute("DELETE FROM derived WHERE workspace = ?1", [workspace])?;
        catch_up(&transaction, workspace)?;
        let hidden = find(&transaction)?;
        transaction.commit()?;
        Ok(hidden)
    }

    /// Brings the derived heads up to the newest revision. Inserts do so themselves; only what was emptied, or
    /// left behind by another workspace's inserts, is behind.
    fn derive_heads(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let workspace = self.workspace.as_str();
        let (newest, derived) = positions(connection, workspace)?;
        if newest == derived {
            return Ok(());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        catch_up(&transaction, workspace)?;
        transaction.commit()
    }

    fn heads(&self, connection: &mut Connection, prefix: &str) -> rusqlite::Result<Vec<Head>> {
        let workspace = self.workspace.as_str();
        if self.writable {
            self.derive_heads(connection)?;
        }
        let (newest, derived) = positions(connection, workspace)?;
        let sql = match derived.cmp(&newest) {
            Ordering::Equal => HEADS_OF_INDEX,
            // A file that cannot be written keeps the index that it has; what is later is read from the revisions.
            Ordering::Less => HEADS_OF_INDEX_AND_REST,
            Ordering::Greater => HEADS_OF_REVISIONS,
        };
        let above = format!("{prefix}{ABOVE_ALL}");
        connection
            .prepare_cached(sql)?
            .query_map(params![workspace, prefix, above, derived], |row| {
                let stream = stream_of(row.get(0)?)?;
                Ok(Head { stream, revision: unsigned(row.get(1)?), position: unsigned(row.get(2)?) })
            })?
            .collect()
    }

    /// Stores the blobs and the revision in one transaction.
    fn insert(&self, blobs: &BTreeMap<Digest, Vec<u8>>, new: &NewRevision) -> Result<Appended, AppendError> {
        let mut connection = self.connection();
        let transaction = self.begin(&mut connection)?;
        let appended = self.insert_within(&transaction, blobs, new)?;
        if !appended.repeated {
            self.finish(transaction)?;
        }
        Ok(appended)
    }

    fn begin<'c>(&self, connection: &'c mut Connection) -> Result<Transaction<'c>, StoreError> {
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        begun.map_err(|error| self.explain(&error))
    }

    /// Derives the heads, and makes what was inserted durable.
    fn finish(&self, transaction: Transaction<'_>) -> Result<(), StoreError> {
        catch_up(&transaction, self.workspace.as_str()).map_err(|error| self.explain(&error))?;
        failpoint("store.commit.revision");
        transaction.commit().map_err(|error| self.explain(&error))
    }

    /// Inserts the blobs and the revision into what is not durable yet.
    fn insert_within(
        &self,
        transaction: &Connection,
        blobs: &BTreeMap<Digest, Vec<u8>>,
        new: &NewRevision,
    ) -> Result<Appended, AppendError> {
        let explain = |error: rusqlite::Error| self.explain(&error);
        let workspace = self.workspace.as_str();
        let head = newest(transaction, workspace, &new.stream).map_err(explain)?;
        let there = numbered(transaction, workspace, &new.stream, new.revision).map_err(explain)?;
        if let Some(repeated) = port::judge(new, head, there.as_ref())? {
            return Ok(repeated);
        }
        for (digest, bytes) in blobs {
            put(transaction, workspace, digest, bytes).map_err(explain)?;
        }
        failpoint("store.commit.blobs");
        transaction
            .prepare_cached(
                "INSERT INTO revisions (workspace, stream, revision, body, leaf, writer)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    workspace,
                    new.stream.as_str(),
                    signed(new.revision),
                    new.body,
                    new.leaf.as_bytes().as_slice(),
                    new.writer.as_str(),
                ])
            })
            .map_err(explain)?;
        let position = unsigned(transaction.last_insert_rowid());
        failpoint("store.commit.inserted");
        Ok(Appended { revision: new.revision, position, repeated: false })
    }
}

impl Store for SqliteStore {
    fn commit(&self, blobs: &BTreeMap<Digest, Vec<u8>>, new: &NewRevision) -> Result<Appended, AppendError> {
        self.writable()?;
        port::check(blobs, new)?;
        failpoint("store.commit.before");
        let appended = self.insert(blobs, new)?;
        failpoint("store.commit.after");
        Ok(appended)
    }

    fn append_all(&self, new: &[NewRevision]) -> Result<(), AppendError> {
        self.writable()?;
        let none = BTreeMap::new();
        new.iter().try_for_each(|new| port::check(&none, new))?;
        failpoint("store.append-all.before");
        let mut connection = self.connection();
        let transaction = self.begin(&mut connection)?;
        new.iter().try_for_each(|new| self.insert_within(&transaction, &none, new).map(drop))?;
        self.finish(transaction)?;
        failpoint("store.append-all.after");
        Ok(())
    }

    fn head(&self, stream: &StreamName) -> Result<Option<Revision>, StoreError> {
        Ok(self.range(stream, u64::MAX, 1, Order::NewestFirst)?.pop())
    }

    fn revision(&self, stream: &StreamName, number: u64) -> Result<Option<Revision>, StoreError> {
        numbered(&self.connection(), self.workspace.as_str(), stream, number)
            .map_err(|error| self.explain(&error))
    }

    fn range(
        &self,
        stream: &StreamName,
        from: u64,
        limit: usize,
        order: Order,
    ) -> Result<Vec<Revision>, StoreError> {
        let (side, direction) = match order {
            Order::OldestFirst => (">=", "ASC"),
            Order::NewestFirst => ("<=", "DESC"),
        };
        let sql = format!(
            "SELECT {REVISION_COLUMNS} FROM revisions WHERE workspace = ?1 AND stream = ?2 \
             AND revision {side} ?3 ORDER BY revision {direction} LIMIT ?4"
        );
        let limit = signed(limit as u64);
        self.select(&sql, params![self.workspace.as_str(), stream.as_str(), signed(from), limit])
    }

    fn streams(&self, prefix: &str) -> Result<Vec<Head>, StoreError> {
        let mut connection = self.connection();
        self.heads(&mut connection, prefix).map_err(|error| self.explain(&error))
    }

    fn since(&self, position: u64, limit: usize) -> Result<Vec<Revision>, StoreError> {
        let sql = format!(
            "SELECT {REVISION_COLUMNS} FROM revisions WHERE +workspace = ?1 AND position > ?2 \
             ORDER BY position LIMIT ?3"
        );
        self.select(&sql, params![self.workspace.as_str(), signed(position), signed(limit as u64)])
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes: Option<Vec<u8>> = self
            .connection()
            .prepare_cached("SELECT bytes FROM blobs WHERE workspace = ?1 AND digest = ?2")
            .and_then(|mut query| {
                query
                    .query_row(params![self.workspace.as_str(), digest.as_bytes().as_slice()], |r| r.get(0))
                    .optional()
            })
            .map_err(|error| self.explain(&error))?;
        bytes.map(|bytes| verified(digest, bytes)).transpose()
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.writable()?;
        port::check_blob_size(bytes)?;
        let digest = Digest::of(bytes);
        put(&self.connection(), self.workspace.as_str(), &digest, bytes)
            .map_err(|error| self.explain(&error))?;
        Ok(digest)
    }

    fn has_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.connection()
            .prepare_cached("SELECT 1 FROM blobs WHERE workspace = ?1 AND digest = ?2")
            .and_then(|mut query| {
                query.exists(params![self.workspace.as_str(), digest.as_bytes().as_slice()])
            })
            .map_err(|error| self.explain(&error))
    }
}

fn present(path: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(StoreError::NotAStore { path: path.to_owned() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(StoreError::Absent { path: path.to_owned() })
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| explain(path, &error))
}

/// A connection that writes nowhere near `path`, and the private copy that it may need.
fn connect_read_only(path: &Path) -> Result<(Connection, Option<tempfile::TempDir>), StoreError> {
    present(path)?;
    let log = beside(path, "-wal");
    let (connection, copy) = if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let copy = tempfile::tempdir().map_err(|error| unusable(path, &error))?;
        let file = copy.path().join("store");
        std::fs::copy(path, &file)
            .and_then(|_| std::fs::copy(&log, beside(&file, "-wal")))
            .map_err(|error| unusable(path, &error))?;
        // The log is replayed into an index in memory and in the private folder.
        (connect(&file), Some(copy))
    } else {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // `immutable`: no lock and no shared-memory file appear beside it.
        let opened = Connection::open_with_flags(uri(path)?, flags).map_err(|error| explain(path, &error));
        (opened, None)
    };
    let connection = connection?;
    identify(path, &connection)?;
    schema::restrain(&connection).map_err(|error| explain(path, &error))?;
    Ok((connection, copy))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// The `file:` address of a path, for a file that nobody changes meanwhile (SQLite, "URI Filenames").
fn uri(path: &Path) -> Result<String, StoreError> {
    let absolute = std::path::absolute(path).map_err(|error| unusable(path, &error))?;
    let mut uri = String::from("file:");
    for byte in absolute.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri.push_str("?immutable=1");
    Ok(uri)
}

fn identify(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let (application, version) = schema::identity(connection).map_err(|error| explain(path, &error))?;
    let path = path.to_owned();
    if schema::is_empty(connection).map_err(|error| explain(&path, &error))? {
        // Nobody keeps an empty file for a store, and what was one may have been cut off.
        Err(StoreError::DamagedFile { path, detail: "it is empty".to_owned() })
    } else if application != schema::APPLICATION {
        Err(StoreError::NotAStore { path })
    } else if version > schema::VERSION {
        Err(StoreError::Newer { path, found: version, known: schema::VERSION })
    } else {
        Ok(())
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), detail: error.to_string() }
}

fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let detail = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::DamagedFile { path, detail }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
        // SQLITE_ERROR is what a missing table or column gives.
        Some(ErrorCode::Unknown) | None => StoreError::DamagedFile { path, detail },
        Some(_) => StoreError::Unusable { path, detail },
    }
}

fn verified(digest: &Digest, bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let found = Digest::of(&bytes);
    if found == *digest { Ok(bytes) } else { Err(StoreError::Damaged { digest: *digest, found }) }
}

fn positions(connection: &Connection, workspace: &str) -> rusqlite::Result<(i64, i64)> {
    // The newest of all workspaces: an index that is up to that is up to any of them.
    let newest = connection
        .prepare_cached("SELECT coalesce(max(position), 0) FROM revisions")?
        .query_row([], |row| row.get(0))?;
    let derived = connection
        .prepare_cached(
            "SELECT coalesce(max(position), 0) FROM derived WHERE workspace = ?1 AND name = 'heads'",
        )?
        .query_row([workspace], |row| row.get(0))?;
    Ok((newest, derived))
}

/// Derives the heads from the rows since they were derived last, from nothing where they claim to be ahead. The
/// plus signs keep the index of the rows out of it.
fn catch_up(connection: &Connection, workspace: &str) -> rusqlite::Result<()> {
    let (newest, mut derived) = positions(connection, workspace)?;
    if derived > newest {
        connection.execute("DELETE FROM heads WHERE workspace = ?1", [workspace])?;
        derived = 0;
    }
    connection
        .prepare_cached(
            "INSERT INTO heads (workspace, stream, revision, position)
             SELECT workspace, stream, max(revision), max(position) FROM revisions
             WHERE +workspace = ?1 AND position > ?2 GROUP BY +stream
             ON CONFLICT DO UPDATE SET revision = excluded.revision, position = excluded.position",
        )?
        .execute(params![workspace, derived])?;
    connection
        .prepare_cached(
            "INSERT INTO derived (workspace, name, position) VALUES (?1, 'heads', ?2)
             ON CONFLICT DO UPDATE SET position = excluded.position",
        )?
        .execute(params![workspace, newest])?;
    Ok(())
}

fn newest(connection: &Connection, workspace: &str, stream: &StreamName) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT max(revision) FROM revisions WHERE workspace = ?1 AND stream = ?2")?
        .query_row([workspace, stream.as_str()], |row| row.get::<_, Option<i64>>(0))
        .map(|number| unsigned(number.unwrap_or(0)))
}

fn numbered(
    connection: &Connection,
    workspace: &str,
    stream: &StreamName,
    number: u64,
) -> rusqlite::Result<Option<Revision>> {
    connection
        .prepare_cached(
            "SELECT stream, revision, body, leaf, writer, position FROM revisions
             WHERE workspace = ?1 AND stream = ?2 AND revision = ?3",
        )?
        .query_row(params![workspace, stream.as_str(), signed(number)], revision_of)
        .optional()
}

fn put(connection: &Connection, workspace: &str, digest: &Digest, bytes: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO blobs (workspace, digest, bytes) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![workspace, digest.as_bytes().as_slice(), bytes])
        .map(|_| ())
}

fn revision_of(row: &Row<'_>) -> rusqlite::Result<Revision> {
    let wrong = |column, error: crate::BadStoreName| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    };
    Ok(Revision {
        stream: stream_of(row.get(0)?)?,
        revision: unsigned(row.get(1)?),
        body: row.get(2)?,
        leaf: Digest::from_bytes(row.get(3)?),
        writer: crate::WriterId::new(row.get::<_, String>(4)?).map_err(|error| wrong(4, error))?,
        position: unsigned(row.get(5)?),
    })
}

fn stream_of(text: String) -> rusqlite::Result<StreamName> {
    StreamName::new(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// SQLite's integers are signed; numbers above are nobody's, and bounds above mean the highest.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Numbers in the file are never negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
