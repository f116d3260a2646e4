//! Against a registry that answers as it likes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sluice_distribution::{Credentials, Limits};
use sluice_model::Digest;

use super::*;

/// What it answers.
#[derive(Clone)]
enum Answer {
    /// Status, headers and body.
    Whole(u16, Vec<(String, String)>, Vec<u8>),
    /// A head, and then bytes without end.
    Endless,
    /// Nothing, on an open connection.
    Silence,
}

fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer::Whole(200, vec![], body.into())
}

fn status(status: u16) -> Answer {
    Answer::Whole(status, vec![], vec![])
}

fn redirect(to: &str) -> Answer {
    Answer::Whole(307, vec![("Location".into(), to.into())], vec![])
}

/// One request, as far as it matters.
struct Asked {
    method: String,
    /// Path and query.
    path: String,
    authorization: Option<String>,
    body: Vec<u8>,
}

/// A server on a free port of this machine, until the test's process ends.
struct Liar {
    at: String,
    asked: Arc<Mutex<Vec<String>>>,
    authorizations: Arc<Mutex<Vec<String>>>,
    sent: Arc<AtomicUsize>,
}

impl Liar {
    fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let liar = Self {
            at: listener.local_addr().unwrap().to_string(),
            asked: Arc::default(),
            authorizations: Arc::default(),
            sent: Arc::default(),
        };
        let (asked, authorizations) = (Arc::clone(&liar.asked), Arc::clone(&liar.authorizations));
        let (sent, answer) = (Arc::clone(&liar.sent), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (asked, authorizations) = (Arc::clone(&asked), Arc::clone(&authorizations));
                let (sent, answer) = (Arc::clone(&sent), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    asked.lock().unwrap().push(format!("{} {}", request.method, request.path));
                    authorizations.lock().unwrap().extend(request.authorization.clone());
                    // The client may have gone: what is told is told to nobody.
                    drop(give(&mut stream, &answer(&request), &sent));
                });
            }
        });
        liar
    }

    fn at(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.at)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut stream = BufReader::new(stream.try_clone().unwrap());
    let mut lines = stream.by_ref().lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
    let mut headers = BTreeMap::new();
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    Some(Asked { method, path, authorization: headers.remove("authorization"), body })
}

fn give(stream: &mut TcpStream, answer: &Answer, sent: &AtomicUsize) -> std::io::Result<()> {
    match answer {
        Answer::Whole(status, headers, body) => {
            write!(
                stream,
                "HTTP/1.1 {status} So\r\nContent-Length: {}\r\nConnection: close\r\n",
                body.len()
            )?;
            for (name, value) in headers {
                write!(stream, "{name}: {value}\r\n")?;
            }
            stream.write_all(b"\r\n")?;
            stream.write_all(body)
        }
        Answer::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b' '; 64 << 10])?;
                sent.fetch_add(64 << 10, Ordering::Relaxed);
            }
        }
        Answer::Silence => {
            // Until the client goes.
            std::io::copy(stream, &mut std::io::sink()).map(drop)
        }
    }
}

const COMPONENT: &[u8] = b"a component";

fn manifest() -> Value {
    json!({
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.wasm.config.v0+json", "digest": Digest::of(b"{}"), "size": 2,
        },
        "layers": [{
            "mediaType": "application/wasm", "digest": Digest::of(COMPONENT), "size": COMPONENT.len(),
        }],
    })
}

/// What an honest registry answers that has one plugin.
fn honest(asked: &Asked) -> Answer {
    match asked.path.as_str() {
        "/v2/" => ok(""),
        path if path.contains("/referrers/") => {
            ok(r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#)
        }
        path if path.contains("/manifests/") => ok(serde_json::to_vec(&manifest()).unwrap()),
        path if path.ends_with(&format!("/blobs/{}", Digest::of(COMPONENT))) => ok(COMPONENT),
        _ => status(404),
    }
}

#[test]
fn an_honest_answer_is_taken_whatever_its_headers() {
    let liar = Liar::start(|asked| match honest(asked) {
        Answer::Whole(status, mut headers, body) => {
            headers.push(("Content-Type".into(), "text/html; charset=utf-7".into()));
            Answer::Whole(status, headers, body)
        }
        other => other,
    });
    let fetched = fetch(&liar.at("sql:1"), &access()).unwrap();
    assert_eq!(fetched.component, COMPONENT);
    let digest = Digest::of(&serde_json::to_vec(&manifest()).unwrap());
    assert_eq!(fetched.source.to_string(), liar.at(&format!("sql@{digest}")));
}

/// What is answered to requests whose path has a part; all others are answered honestly.
fn lying(about: &'static str, answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Liar {
    Liar::start(move |asked| if asked.path.contains(about) { answer(asked) } else { honest(asked) })
}

#[test]
fn lies_are_refused() {
    let digest = Digest::of(&serde_json::to_vec(&manifest()).unwrap());
    let with = |change: fn(&mut Value)| {
        let mut manifest = manifest();
        change(&mut manifest);
        serde_json::to_vec(&manifest).unwrap()
    };
    let larger = with(|manifest| manifest["layers"][0]["size"] = json!(COMPONENT_BYTES + 1));
    let away = with(|manifest| {
        manifest["layers"][0]["digest"] = json!(Digest::of(b"elsewhere"));
        manifest["layers"][0]["urls"] = json!(["http://127.0.0.1:1/elsewhere", "https://127.0.0.1:1/"]);
    });
    let signed = |digest: &str| {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dsse.envelope.v1+json","digest":"{digest}","size":1}}]}}"#
        )
    };
    let errors = |code: &str| {
        let body = json!({ "errors": [{ "code": code, "message": "hunter2" }] });
        Answer::Whole(400, vec![], serde_json::to_vec(&body).unwrap())
    };
    for (about, answer, expected) in [
        ("/blobs/", ok("A component"), "the component at"),
        ("/blobs/", ok("a component and more"), "got other bytes"),
        ("/blobs/", ok(""), "the component at"),
        ("/blobs/", status(404), "there is nothing at"),
        ("/blobs/", status(500), "it answers with status 500"),
        ("/blobs/", redirect("http://127.0.0.1:1/"), "sends to `127.0.0.1:1`, over HTTP without TLS"),
        (
            "/blobs/",
            redirect("http://registry.example/"),
            "sends to `registry.example:80`, over HTTP without TLS",
        ),
        ("/manifests/", ok("<html>hunter2</html>"), "its manifest is not JSON"),
        ("/manifests/", ok(r#"{"hunter2":1}"#), "its manifest has not the form of one"),
        ("/manifests/", ok(larger), "the component has more than the limit"),
        ("/manifests/", ok(away), "there is nothing at"),
        ("/manifests/", status(403), "refuses access"),
        ("/manifests/", errors("DENIED"), "refuses access"),
        ("/manifests/", errors("NAME_UNKNOWN"), "there is nothing at"),
        ("/manifests/", errors("TOOMANYREQUESTS"), "it had too many requests"),
        ("/manifests/", errors("HUNTER2"), "it answers with an error"),
        (
            "/manifests/",
            Answer::Whole(200, vec![("Docker-Content-Digest".into(), digest.to_string())], b"{}".to_vec()),
            "what lies at",
        ),
        (
            "/manifests/",
            Answer::Whole(200, vec![("Docker-Content-Digest".into(), "hunter2".into())], b"{}".to_vec()),
            "what it sends cannot be read",
        ),
        ("/referrers/", ok("hunter2"), "what it sends cannot be read"),
        ("/referrers/", ok(signed("hunter2")), "a signature that it lists has no digest"),
        ("/referrers/", ok(signed(&digest.to_string())), "listed as its signature is not of type"),
        ("/referrers/", ok(signed(&Digest::of(b"").to_string())), "is not what its digest says"),
        (
            "/v2/",
            Answer::Whole(401, vec![("WWW-Authenticate".into(), "Nonsense".into())], vec![]),
            "refuses access",
        ),
        ("/v2/", redirect("/v2/"), "it redirects without end"),
    ] {
        let liar = lying(about, move |_| answer.clone());
        let error = refused(fetch(&liar.at("sql:1"), &access()));
        assert!(error.contains(expected), "{about}: {error} instead of {expected}");
        assert!(!error.to_lowercase().contains("hunter2"), "{error}");
    }
    // Asked for a digest, another manifest is none.
    let liar = lying("nothing", |_| status(404));
    let error = refused(fetch(&liar.at(&format!("sql@{}", Digest::of(b"other"))), &access()));
    assert!(error.contains("is not what its digest says"), "{error}");
}

#[test]
fn answers_without_end_end_at_the_limit() {
    for (about, at, most) in [
        ("/blobs/", "sql:1", COMPONENT_BYTES),
        ("/manifests/", "sql:1", 40 << 20),
        ("/referrers/", "sql:1", 40 << 20),
        ("/v2/", "sql:1", 40 << 20),
        ("/tags/", "sql", 40 << 20),
    ] {
        let liar = lying(about, |_| Answer::Endless);
        let error = refused(match at {
            "sql" => tags(&liar.at(at), &access()).map(drop),
            at => fetch(&liar.at(at), &access()).map(drop),
        });
        let expected = if about == "/blobs/" {
            "got other bytes"
        } else {
            "what the registry sends has more than the limit of"
        };
        assert!(error.contains(expected), "{about}: {error}");
        // What is on its way in sockets comes on top.
        let sent = liar.sent.load(Ordering::Relaxed);
        assert!(sent < most, "{about}: {sent} bytes were sent");
    }
}

#[test]
fn a_loop_of_redirects_ends() {
    let liar = lying("/blobs/", |asked| redirect(&asked.path));
    assert!(refused(fetch(&liar.at("sql:1"), &access())).contains("it redirects without end"));
    let blobs = liar.asked().iter().filter(|asked| asked.contains("/blobs/")).count();
    assert!((2..=20).contains(&blobs), "{:?}", liar.asked());
}

#[test]
fn silence_ends_in_time() {
    let liar = lying("/manifests/", |_| Answer::Silence);
    let within = Duration::from_secs(1);
    let access = Access { limits: Limits { component_bytes: COMPONENT_BYTES, within }, ..access() };
    let error = refused(fetch(&liar.at("sql:1"), &access));
    assert_eq!(error, format!("the registry `{}` took longer than 1 s", liar.at));
}

#[test]
fn a_password_goes_where_it_belongs() {
    let other = Liar::start(honest);
    let elsewhere = format!("http://{}/v2/", other.at);
    let challenge = |realm: &str| {
        Answer::Whole(401, vec![("WWW-Authenticate".into(), format!("Bearer realm=\"{realm}\""))], vec![])
    };
    let basic = Answer::Whole(401, vec![("WWW-Authenticate".into(), "Basic realm=\"x\"".into())], vec![]);
    for (sign_in, blob, expected) in [
        (basic, redirect(&elsewhere), "over HTTP without TLS"),
        (challenge(&elsewhere), ok(COMPONENT), "over HTTP without TLS"),
    ] {
        let liar = Liar::start(move |asked| match asked.path.as_str() {
            "/v2/" => sign_in.clone(),
            path if path.contains("/blobs/") => blob.clone(),
            _ => honest(asked),
        });
        let credentials = Credentials::none().with_login(&liar.at, "me", "hunter2");
        let error = refused(fetch(&liar.at("sql:1"), &Access { credentials, ..access() }));
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        assert!(other.asked().is_empty() && other.authorizations.lock().unwrap().is_empty());
    }
}

/// Answers over which a careless client fails.
#[test]
fn a_token_that_is_none_is_refused() {
    for (body, expected) in [
        (r#"{"token":"a\nb"}"#, "its token has characters that none has"),
        (r#"{"token":"a.b.c"}"#, ""),
        ("[]", "what it sends cannot be read"),
    ] {
        let at = Arc::new(Mutex::new(String::new()));
        let own = Arc::clone(&at);
        let liar = Liar::start(move |asked| match asked.path.as_str() {
            "/v2/" => {
                let realm = format!("Bearer realm=\"http://{}/token\"", own.lock().unwrap());
                Answer::Whole(401, vec![("WWW-Authenticate".into(), realm)], vec![])
            }
            path if path.starts_with("/token") => ok(body),
            _ => honest(asked),
        });
        at.lock().unwrap().clone_from(&liar.at);
        match fetch(&liar.at("sql:1"), &access()) {
            Ok(fetched) => assert!(expected.is_empty() && fetched.component == COMPONENT, "{body}"),
            Err(error) => {
                assert!(!expected.is_empty() && error.to_string().contains(expected), "{body}: {error}")
            }
        }
    }
}

#[test]
fn tags_are_listed_page_by_page_and_end() {
    let page = |tags: &[String]| ok(serde_json::to_vec(&json!({ "name": "sql", "tags": tags })).unwrap());
    let liar = lying("/tags/", move |asked| {
        let last = asked.path.split("last=").nth(1).map_or(0, |last| last.parse().unwrap());
        let tags: Vec<_> = (last + 1..=25).take(10).map(|number: usize| number.to_string()).collect();
        page(&tags)
    });
    assert_eq!(tags(&liar.at("sql"), &access()).unwrap().len(), 25);
    // One that gives everything at once, and again; one that has no end; one that has no tags.
    let liar = lying("/tags/", move |_| page(&["b".into(), "a".into()]));
    assert_eq!(tags(&liar.at("sql"), &access()).unwrap(), ["a", "b"]);
    let liar = lying("/tags/", move |asked| {
        let last: usize = asked.path.split("last=").nth(1).map_or(0, |last| last.parse().unwrap());
        let tags: Vec<_> = (last + 1..=last + 1_000).map(|number| number.to_string()).collect();
        page(&tags)
    });
    assert!(refused(tags(&liar.at("sql"), &access())).contains("has more than 10000 versions"));
    let liar = lying("/tags/", |_| ok(r#"{"name":"sql","tags":null}"#));
    assert!(tags(&liar.at("sql"), &access()).unwrap().is_empty());
    let liar = lying("/tags/", |_| ok(r#"{"name":"sql","tags":["../../hunter2"]}"#));
    let error = refused(tags(&liar.at("sql"), &access()));
    assert!(error.contains("lists a version that is no tag") && !error.contains("hunter2"), "{error}");
}

/// Some registries list themselves what refers to an artefact, and some answer an upload without a `Location`.
#[test]
fn a_registry_that_lists_signatures_itself_gets_no_list() {
    let manifests: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::default();
    let uploads = "/v2/sql/blobs/uploads/1";
    let located = |status| Answer::Whole(status, vec![("Location".into(), uploads.into())], vec![]);
    let liar = Liar::start(move |asked| {
        let last = asked.path.rsplit('/').next().unwrap().to_owned();
        let mut manifests = manifests.lock().unwrap();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", _) => located(202),
            ("PATCH", _) => located(202),
            ("PUT", path) if path.starts_with(uploads) => located(201),
            ("PUT", _) => {
                manifests.insert(last, asked.body.clone());
                status(201)
            }
            ("GET", path) if path.contains("/referrers/") => {
                let refers = |manifest: &&Vec<u8>| {
                    let manifest: Value = serde_json::from_slice(manifest).unwrap();
                    manifest["subject"]["digest"].as_str() == Some(&last)
                };
                let listed = manifests.values().filter(refers).map(|manifest| {
                    json!({
                        "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "artifactType": "application/vnd.dsse.envelope.v1+json",
                        "digest": Digest::of(manifest),
                        "size": manifest.len(),
                    })
                });
                let list = json!({ "schemaVersion": 2, "manifests": listed.collect::<Vec<_>>() });
                ok(serde_json::to_vec(&list).unwrap())
            }
            ("GET", "/v2/") => ok(""),
            ("GET", path) if path.contains("/manifests/") => {
                manifests.get(&last).map_or_else(|| status(404), |manifest| ok(manifest.clone()))
            }
            _ => status(404),
        }
    });
    let release = Release { signature: Some(b"{}".to_vec()), ..release(COMPONENT) };
    let pinned = publish(&release, &liar.at("sql:1"), &access()).unwrap_or_else(|e| panic!("{e}"));
    let put: Vec<_> =
        liar.asked().into_iter().filter(|asked| asked.starts_with("PUT /v2/sql/manifests/")).collect();
    assert_eq!(put.len(), 2, "{put:?}");
    assert_eq!(put[0], "PUT /v2/sql/manifests/1");
    assert!(put[1].starts_with("PUT /v2/sql/manifests/sha256:"), "{put:?}");
    assert!(!put[1].ends_with(&pinned.digest().unwrap().to_string()), "{put:?}");
}

#[test]
fn what_the_client_panics_over_is_an_error() {
    let begun = AtomicUsize::new(0);
    let liar = Liar::start(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        // Not what the specification says, so that the client tries another way.
        ("POST", _) if begun.fetch_add(1, Ordering::Relaxed) == 0 => status(200),
        ("POST", _) => Answer::Whole(202, vec![("Location".into(), "hunter2".into())], vec![]),
        (_, "/v2/") => ok(""),
        _ => status(404),
    });
    let error = refused(publish(&release(COMPONENT), &liar.at("sql:1"), &access()));
    let expected = "does not answer as registries do: the client fails over what it sends";
    assert_eq!(error, format!("the registry `{}` {expected}", liar.at));
}
