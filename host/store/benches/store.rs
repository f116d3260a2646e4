//! The embedded store: one insert with its blobs, the sync that is in it, and the newest of a long list.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sluice_model::Digest;
use sluice_store::{NewRevision, Order, SqliteStore, Store, StreamName, WorkspaceId, WriterId};

/// Blobs of one insert.
const BLOBS: u64 = 15;

/// Revisions in the long list; and in the store, for other streams share it.
const LISTED: u64 = 100_000;

fn revision(stream: &str, number: u64) -> Option<NewRevision> {
    let body = format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(400)).into_bytes();
    let (stream, writer) = (StreamName::new(stream).ok()?, WriterId::new("bench").ok()?);
    Some(NewRevision { stream, revision: number, leaf: Digest::of(&body), body, writer })
}

fn blobs(number: u64) -> BTreeMap<Digest, Vec<u8>> {
    (0..BLOBS)
        .map(|at| format!("{number} {at} {}", "content ".repeat(150)).into_bytes())
        .map(|bytes| (Digest::of(&bytes), bytes))
        .collect()
}

fn store(folder: &Path) -> Option<SqliteStore> {
    SqliteStore::create(&folder.join("store.db"), WorkspaceId::new("bench").ok()?).ok()
}

/// What the disk takes by itself: each insert waits for one sync.
fn sync(criterion: &mut Criterion) {
    let Ok(mut file) = tempfile::tempfile() else { return };
    let page = [7_u8; 4096];
    criterion.bench_function("sync of 4 KiB", |bench| {
        bench.iter(|| {
            file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&page)).and_then(|()| file.sync_data())
        });
    });
}

fn commit(criterion: &mut Criterion) {
    let Some((folder, store)) = tempfile::tempdir()
        .ok()
        .and_then(|folder| Some((store(folder.path())?, folder)))
        .map(|(s, f)| (f, s))
    else {
        return;
    };
    let mut number = 0;
    criterion.bench_function("commit of a revision with 15 blobs", |bench| {
        bench.iter_batched(
            || {
                number += 1;
                (blobs(number), revision("env/staging", number))
            },
            |(blobs, revision)| revision.map(|revision| store.commit(&blobs, &revision).is_ok()),
            BatchSize::PerIteration,
        );
    });
    drop(folder);
}

/// Fills a file without a sync for each revision, which the store itself never leaves out.
fn fill(path: &Path) -> rusqlite::Result<()> {
    let mut connection = rusqlite::Connection::open(path)?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare(
            "INSERT INTO revisions (workspace, stream, revision, body, leaf, writer)
             VALUES ('bench', ?1, ?2, ?3, zeroblob(32), 'bench')",
        )?;
        for number in 1..=LISTED {
            let body = format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(400));
            insert.execute(("env/staging/promotions", number as i64, body.as_bytes()))?;
            insert.execute((
                format!("app/{}", number % 5_000),
                (number / 5_000 + 1) as i64,
                "{}".as_bytes(),
            ))?;
        }
    }
    transaction.commit()
}

fn read(criterion: &mut Criterion) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let Some(store) = store(folder.path()) else { return };
    let Ok(list) = StreamName::new("env/staging/promotions") else { return };
    if let Err(error) = fill(&folder.path().join("store.db")) {
        criterion.bench_function(&format!("not run: {error}"), |_| {});
        return;
    }
    criterion.bench_function("newest 50 of a list stream of 100,000", |bench| {
        bench.iter(|| store.range(black_box(&list), u64::MAX, 50, Order::NewestFirst).map(|list| list.len()));
    });
    let (path, id) = (folder.path().join("store.db"), WorkspaceId::new("bench"));
    criterion.bench_function("open, with 5,001 streams", |bench| {
        bench.iter(|| id.clone().is_ok_and(|id| SqliteStore::open(&path, id).is_ok()));
    });
    criterion.bench_function("heads of 5,001 streams, index up to date", |bench| {
        bench.iter(|| store.streams(black_box("")).map(|heads| heads.len()));
    });
}

criterion_group!(benches, sync, commit, read);
criterion_main!(benches);
