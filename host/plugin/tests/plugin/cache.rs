//! The cache of compiled code, and what is known of a plugin without it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::built::{act, bytes};
use sluice_model::Digest;
use sluice_plugin::{CacheCounts, CodeCache, Host, Limits, Plugin, PluginLimits, Reason};

fn host(folder: &Path, key: u8) -> Host {
    Host::new(Limits::default()).unwrap().with_cache(CodeCache::new(folder, &[key; 32]))
}

fn load(host: &Host) -> Plugin {
    host.load("adversary", &bytes("test/adversary.wasm")).unwrap()
}

/// The one entry in a folder.
fn entry(folder: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(folder).unwrap();
    let path = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none(), "one plugin has one entry");
    path
}

/// Where the code begins, and how long it is.
fn code_at(entry: &[u8]) -> usize {
    let known = u32::from_le_bytes(entry[104..108].try_into().unwrap()) as usize;
    assert_eq!(116 + known + u64::from_le_bytes(entry[108..116].try_into().unwrap()) as usize, entry.len());
    116 + known
}

#[test]
fn a_known_plugin_is_loaded_when_it_is_first_called() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = load(&host(folder.path(), 1));
    assert!(fresh.is_loaded(), "one that nobody knows has to be asked");
    let first = fresh.render(&act("decent")).unwrap();

    let host = host(folder.path(), 1);
    let plugin = load(&host);
    assert!(!plugin.is_loaded());
    assert_eq!((plugin.describe(), plugin.has_probe()), (fresh.describe(), fresh.has_probe()));
    assert_eq!(host.cache_counts(), Some(CacheCounts { known: 1, ..CacheCounts::default() }));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(plugin.render(&act("decent")).unwrap(), first));
        }
    });
    assert!(plugin.is_loaded());
    // Those that came meanwhile waited for the one that loaded.
    assert_eq!(host.cache_counts(), Some(CacheCounts { known: 1, taken: 1, ..CacheCounts::default() }));
}

#[test]
fn the_bytes_of_a_known_plugin_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let component = bytes("test/adversary.wasm");
    let digest = Digest::of(&component);
    let read = Arc::new(AtomicUsize::new(0));
    let load = |host: &Host, component: &[u8]| {
        let (read, component) = (read.clone(), component.to_vec());
        host.load_known("adversary", digest, &PluginLimits::default(), move || {
            read.fetch_add(1, Ordering::Relaxed);
            Ok(component.clone())
        })
    };
    load(&host(folder.path(), 1), &component).unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 1);
    let plugin = load(&host(folder.path(), 1), &component).unwrap();
    plugin.render(&act("decent")).unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 1);
    // An entry that is gone by the time of the first call is made again from the bytes.
    let plugin = load(&host(folder.path(), 1), &component).unwrap();
    std::fs::remove_file(entry(folder.path())).unwrap();
    plugin.render(&act("decent")).unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 2);
    assert!(entry(folder.path()).exists());
    // Other bytes than those that are meant are not taken.
    let error = load(&host(folder.path(), 2), &bytes("sql.wasm")).unwrap_err();
    assert!(matches!(&*error.reason, Reason::Gone(why) if why.contains("another")), "{error}");
    let none =
        host(folder.path(), 2).load_known("x", digest, &PluginLimits::default(), || Err("no".to_owned()));
    assert_eq!(*none.unwrap_err().reason, Reason::Gone("no".to_owned()));
}

#[test]
fn only_good_entries_are_believed_and_bad_ones_are_counted_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let first = load(&host(folder.path(), 1)).render(&act("decent")).unwrap();
    let good = std::fs::read(entry(folder.path())).unwrap();
    let code = code_at(&good);
    let changed = |at: usize| {
        let mut entry = good.clone();
        entry[at] ^= 1;
        entry
    };
    let longer = [&good[..], &[0]].concat();
    // Whether it is found out when the plugin is loaded, or when it is first called.
    for (name, bytes, at_once) in [
        ("empty", vec![], true),
        ("another beginning", changed(0), true),
        ("a forged head", changed(8), true),
        ("another engine", changed(40), true),
        ("another MAC of the code", changed(72), true),
        ("another length of the description", changed(104), true),
        ("a length beyond all bounds", changed(107), true),
        ("another length of the code", changed(108), true),
        ("another description", changed(120), true),
        ("half a head", good[..60].to_vec(), true),
        ("half a description", good[..code / 2].to_vec(), true),
        ("no code", good[..code].to_vec(), false),
        ("half the code", good[..good.len() / 2].to_vec(), false),
        ("a byte too few", good[..good.len() - 1].to_vec(), false),
        ("a byte too many", longer, false),
        ("forged code", changed(code), false),
        ("forged code at the end", changed(good.len() - 1), false),
    ] {
        std::fs::write(entry(folder.path()), bytes).unwrap();
        let host = host(folder.path(), 1);
        let plugin = load(&host);
        assert_eq!(plugin.is_loaded(), at_once, "{name}");
        assert_eq!(plugin.render(&act("decent")).unwrap(), first, "{name}");
        let known = u64::from(!at_once);
        assert_eq!(
            host.cache_counts(),
            Some(CacheCounts { known, damaged: 1, ..CacheCounts::default() }),
            "{name}"
        );
        // The entry is good again: with the same code, if not compiled in the same time.
        let mended = std::fs::read(entry(folder.path())).unwrap();
        assert!(mended.ends_with(&good[code..]), "{name}: other code");
        let again = self::host(folder.path(), 1);
        assert_eq!(load(&again).render(&act("decent")).unwrap(), first, "{name}");
        let counts = CacheCounts { known: 1, taken: 1, ..CacheCounts::default() };
        assert_eq!(again.cache_counts(), Some(counts), "{name} was not mended");
    }
    // An entry of another key is as good as forged.
    let other = host(folder.path(), 2);
    assert_eq!(load(&other).render(&act("decent")).unwrap(), first);
    assert_eq!(other.cache_counts().unwrap().damaged, 1);
    let of_other = std::fs::read(entry(folder.path())).unwrap();
    assert_ne!(of_other[..104], good[..104], "another key has other codes");
}

#[test]
fn an_entry_does_not_pass_for_another_plugins() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path(), 1);
    load(&host);
    let of_adversary = entry(folder.path());
    host.load("http", &bytes("http.wasm")).unwrap();
    let of_http = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let of_http = of_http.into_iter().find(|path| *path != of_adversary).unwrap();
    std::fs::copy(of_adversary, of_http).unwrap();
    let before = host.cache_counts().unwrap().damaged;
    let http = host.load("http", &bytes("http.wasm")).unwrap();
    assert!(http.describe().iter().any(|kind| kind.kind == "lowcoder/graphql".parse().unwrap()));
    assert_eq!(host.cache_counts().unwrap().damaged, before + 1);
}

#[test]
fn a_cache_that_cannot_be_written_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let host = host(&file, 1);
    load(&host).render(&act("decent")).unwrap();
    assert_eq!(host.cache_counts().unwrap().unwritten, 1);
}

#[test]
fn a_damaged_entry_is_reported() {
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path(), 1);
    load(&host);
    std::fs::write(entry(folder.path()), b"nothing good").unwrap();
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || load(&host));
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("damaged or not from here"), "{text}");
}
