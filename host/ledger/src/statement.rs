//! Signed statements: in-toto Statement v1 in a DSSE envelope, signed with Ed25519.
//!
//! A signature is over the envelope's pre-authentication encoding (DSSE, "PAE"), so over the very bytes of the
//! payload; a statement is read only after a known signer's signature was found good.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sluice_model::{Digest, json};

use crate::key::{KeyId, KeyPair, PublicKey};

/// The media type of an in-toto statement in an envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The type of a statement (in-toto attestation framework v1).
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Bytes of an envelope that are read at most: a test report of some megabytes fits as a predicate.
pub const MOST_BYTES: usize = 8 << 20;

/// Signatures of an envelope that are read at most; each costs a curve operation.
const MOST_SIGNATURES: usize = 32;

/// Subjects of a statement that are read at most.
const MOST_SUBJECTS: usize = 1000;

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its content.
    pub digest: Digest,
}

/// An in-toto statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it is about; one or more.
    pub subject: Vec<Subject>,
    /// The URI that says what the predicate means.
    pub predicate_type: String,
    /// What is stated.
    pub predicate: Map<String, Value>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name, as the signer gave it; may be empty. A hint.
    pub keyid: String,
    /// The bytes, 64 for Ed25519.
    pub bytes: Vec<u8>,
}

/// A DSSE envelope. Nothing in it is to be believed before [`verify`](Envelope::verify).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

/// A statement that known signers made.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// What they state.
    pub statement: Statement,
    /// Who signed, each once, in the order of the envelope.
    pub signers: Vec<PublicKey>,
}

/// Why a statement is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not a DSSE envelope.
    #[error("not a signed statement: {0}")]
    NotAnEnvelope(String),
    /// An envelope around something else.
    #[error("the envelope holds `{0}`, not an in-toto statement")]
    OtherPayload(String),
    /// Nobody who is known signed it.
    #[error("nobody who is known signed the statement; it names the keys {}", list(.0))]
    UnknownSigner(Vec<String>),
    /// A known key is named, and the signature is not its.
    #[error("the signature by the key `{0}` does not belong to this statement: it was changed or forged")]
    BadSignature(KeyId),
    /// The payload was signed, but is not a statement.
    #[error("the signed payload is not an in-toto statement: {0}")]
    NotAStatement(String),
}

fn list(names: &[String]) -> String {
    names.iter().take(5).map(|name| format!("`{name:.80}`")).collect::<Vec<_>>().join(", ")
}

/// DSSE's pre-authentication encoding: what is signed.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl Statement {
    /// The canonical JSON of the statement.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let subject: Vec<_> = self
            .subject
            .iter()
            .map(|subject| json!({"name": subject.name, "digest": {"sha256": subject.digest.hex()}}))
            .collect();
        json::canonical(&json!({
            "_type": STATEMENT_TYPE,
            "subject": subject,
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }))
    }

    /// The statement in an envelope that `key` signed.
    #[must_use]
    pub fn sign(&self, key: &KeyPair) -> Envelope {
        Envelope { payload_type: PAYLOAD_TYPE.to_owned(), payload: self.bytes(), signatures: Vec::new() }
            .co_sign(key)
    }

    /// Reads a payload.
    fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        let wrong = |why: &str| StatementError::NotAStatement(why.to_owned());
        let value = json::read(payload, MOST_BYTES).map_err(|error| wrong(&error.to_string()))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if text("_type") != Some(STATEMENT_TYPE) {
            return Err(wrong("its `_type` is not `https://in-toto.io/Statement/v1`"));
        }
        let subject = value.get("subject").and_then(Value::as_array).ok_or_else(|| wrong("no `subject`"))?;
        if subject.is_empty() || subject.len() > MOST_SUBJECTS {
            return Err(wrong("`subject` is empty, or has over 1000 items"));
        }
        let subject = subject
            .iter()
            .map(|item| {
                let digest = item.pointer("/digest/sha256").and_then(Value::as_str)?;
                Some(Subject {
                    name: item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
                    digest: format!("sha256:{digest}").parse().ok()?,
                })
            })
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("a subject has no `digest` with a `sha256` of 64 lower-case hex digits"))?;
        let predicate_type = text("predicateType").filter(|uri| (1..=500).contains(&uri.len()));
        let predicate = match value.get("predicate") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(members)) => members.clone(),
            Some(_) => return Err(wrong("`predicate` is not an object")),
        };
        let predicate_type =
            predicate_type.ok_or_else(|| wrong("no `predicateType` of 1 to 500 bytes"))?.to_owned();
        Ok(Self { subject, predicate_type, predicate })
    }
}

/// What a DSSE envelope is, for those who brought something else.
const SHAPE: &str = "a DSSE envelope is wanted, an object with the texts `payloadType` and `payload` (base64) and the list `signatures`, each with a text `sig` (base64) and the `keyid` of who signed";

/// The envelope as JSON spells it (DSSE protocol). What it does not know, it passes over, as DSSE asks.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
struct WireSignature {
    #[serde(default)]
    keyid: Option<String>,
    sig: String,
}

/// DSSE lets writers use either alphabet.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

impl Envelope {
    /// Reads an envelope from JSON, and believes nothing of it.
    ///
    /// # Errors
    /// [`StatementError::NotAnEnvelope`] or [`StatementError::OtherPayload`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let wrong = |why: String| StatementError::NotAnEnvelope(why);
        let value = json::read(bytes, MOST_BYTES).map_err(|error| wrong(error.to_string()))?;
        let wire: Wire = serde_json::from_value(value).map_err(|_| wrong(SHAPE.to_owned()))?;
        if wire.payload_type != PAYLOAD_TYPE {
            return Err(StatementError::OtherPayload(wire.payload_type.chars().take(80).collect()));
        }
        if wire.signatures.is_empty() || wire.signatures.len() > MOST_SIGNATURES {
            return Err(wrong("it has no signature, or over 32".to_owned()));
        }
        let payload = decode(&wire.payload).ok_or_else(|| wrong("its `payload` is not base64".to_owned()))?;
        let signatures = wire
            .signatures
            .into_iter()
            .map(|signature| {
                let bytes = decode(&signature.sig)?;
                Some(Signature { keyid: signature.keyid.unwrap_or_default(), bytes })
            })
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("a `sig` is not base64".to_owned()))?;
        Ok(Self { payload_type: wire.payload_type, payload, signatures })
    }

    /// The canonical JSON of the envelope.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let signatures: Vec<_> = self
            .signatures
            .iter()
            .map(|signature| json!({"keyid": signature.keyid, "sig": STANDARD.encode(&signature.bytes)}))
            .collect();
        json::canonical(&json!({
            "payloadType": self.payload_type,
            "payload": STANDARD.encode(&self.payload),
            "signatures": signatures,
        }))
    }

    /// The signed bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The envelope with one more signature.
    #[must_use]
    pub fn co_sign(mut self, key: &KeyPair) -> Self {
        let bytes = key.sign(&pae(&self.payload_type, &self.payload)).to_vec();
        self.signatures.push(Signature { keyid: key.public().id().to_string(), bytes });
        self
    }

    /// Finds who of `known` signed, and reads what they signed. Signatures that name none of `known` are passed
    /// over; one that names no key at all is tried with each.
    ///
    /// # Errors
    /// [`StatementError::UnknownSigner`] when nobody of `known` signed; [`StatementError::BadSignature`] when a
    /// signature names one of `known` and is not its.
    pub fn verify(&self, known: &[PublicKey]) -> Result<Signed, StatementError> {
        let bytes = pae(&self.payload_type, &self.payload);
        let mut signers: Vec<PublicKey> = Vec::new();
        for signature in &self.signatures {
            let good = |key: &&PublicKey| {
                signature.bytes.as_slice().try_into().is_ok_and(|s| key.verify(&bytes, s).is_ok())
            };
            let named = known.iter().find(|key| key.id().as_str() == signature.keyid);
            let signer = match named {
                Some(key) if good(&key) => Some(key),
                Some(key) => return Err(StatementError::BadSignature(key.id())),
                None if signature.keyid.is_empty() => known.iter().find(good),
                None => None,
            };
            if let Some(key) = signer.filter(|key| !signers.contains(key)) {
                signers.push(*key);
            }
        }
        if signers.is_empty() {
            let named = self.signatures.iter().map(|signature| signature.keyid.clone()).collect();
            return Err(StatementError::UnknownSigner(named));
        }
        Ok(Signed { statement: Statement::parse(&self.payload)?, signers })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::tests::pair;

    fn sample() -> Statement {
        let mut predicate = Map::new();
        predicate.insert("passed".to_owned(), json!(12));
        Statement {
            subject: vec![Subject { name: "bundle".to_owned(), digest: Digest::of(b"bundle") }],
            predicate_type: "https://example.com/tests/v1".to_owned(),
            predicate,
        }
    }

    fn wrap(payload: &Value) -> Envelope {
        Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: json::canonical(payload),
            signatures: Vec::new(),
        }
        .co_sign(&pair(1))
    }

    /// The example of the DSSE protocol.
    #[test]
    fn encodes_what_is_signed_as_the_specification() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn a_statement_is_read_as_it_was_signed() {
        let envelope = sample().sign(&pair(1)).co_sign(&pair(2)).co_sign(&pair(1));
        let read = Envelope::parse(&envelope.to_json()).unwrap();
        assert_eq!(read, envelope);
        let known = [pair(1).public(), pair(2).public(), pair(3).public()];
        let signed = read.verify(&known).unwrap();
        assert_eq!(signed, Signed { statement: sample(), signers: known[..2].to_vec() });
        assert_eq!(read.verify(&known[1..]).unwrap().signers, known[1..2]);
        let subject: Value = serde_json::from_slice(read.payload()).unwrap();
        assert_eq!(subject["subject"][0]["digest"]["sha256"], Digest::of(b"bundle").hex());
    }

    #[test]
    fn an_unknown_signer_is_not_a_bad_signature() {
        let envelope = sample().sign(&pair(1));
        assert_eq!(
            envelope.verify(&[pair(2).public()]),
            Err(StatementError::UnknownSigner(vec![pair(1).public().id().to_string()]))
        );
        assert_eq!(
            envelope.verify(&[]).unwrap_err().to_string(),
            format!(
                "nobody who is known signed the statement; it names the keys `{}`",
                pair(1).public().id()
            )
        );
        let mut changed = envelope.clone();
        changed.payload.push(b' ');
        assert_eq!(
            changed.verify(&[pair(1).public()]),
            Err(StatementError::BadSignature(pair(1).public().id()))
        );
        let mut nameless = envelope;
        nameless.signatures[0].keyid.clear();
        assert!(nameless.verify(&[pair(2).public(), pair(1).public()]).is_ok());
        assert!(matches!(nameless.verify(&[pair(2).public()]), Err(StatementError::UnknownSigner(_))));
        // One good signature does not excuse a forged one.
        let mut forged = sample().sign(&pair(1)).co_sign(&pair(2));
        forged.signatures[1].bytes[0] ^= 1;
        assert!(matches!(
            forged.verify(&[pair(1).public(), pair(2).public()]),
            Err(StatementError::BadSignature(_))
        ));
    }

    #[test]
    fn what_is_not_an_envelope_is_refused() {
        let good: Value = serde_json::from_slice(&sample().sign(&pair(1)).to_json()).unwrap();
        let change = |name: &str, value: Value| {
            let mut changed = good.clone();
            changed[name] = value;
            serde_json::to_vec(&changed).unwrap()
        };
        for (bytes, expected) in [
            (b"[".to_vec(), "not a signed statement"),
            (b"{}".to_vec(), "a DSSE envelope is wanted, an object with the texts `payloadType`"),
            (change("payload", json!("?")), "`payload` is not base64"),
            (change("payload", json!(1)), "not a signed statement"),
            (change("payloadType", json!("text/plain")), "holds `text/plain`"),
            (change("signatures", json!([])), "no signature"),
            (change("signatures", json!([{"keyid": "", "sig": "?"}])), "`sig` is not base64"),
            (change("signatures", json!(vec![json!({"sig": ""}); 33])), "over 32"),
            (vec![b' '; MOST_BYTES + 1], "more than the limit"),
        ] {
            let error = Envelope::parse(&bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_signed_but_not_a_statement_is_refused() {
        let good: Value = serde_json::from_slice(&sample().bytes()).unwrap();
        let change = |name: &str, value: Value| {
            let mut changed = good.clone();
            changed[name] = value;
            wrap(&changed)
        };
        let known = [pair(1).public()];
        assert_eq!(change("unknown", json!(1)).verify(&known).unwrap().statement, sample());
        for (envelope, expected) in [
            (change("_type", json!("https://in-toto.io/Statement/v0.1")), "`_type`"),
            (change("subject", json!([])), "`subject` is empty"),
            (change("subject", json!([{"name": "x", "digest": {"sha1": "00"}}])), "a subject has no"),
            (change("subject", json!([{"name": "x", "digest": {"sha256": "00"}}])), "a subject has no"),
            (change("predicateType", json!("")), "`predicateType`"),
            (change("predicate", json!([])), "`predicate` is not an object"),
            (wrap(&json!(1)), "`_type`"),
        ] {
            let error = envelope.verify(&known).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bit_flipped_in_payload_or_signature_is_noticed(at in any::<prop::sample::Index>()) {
            let mut envelope = sample().sign(&pair(1));
            let flip = |bytes: &mut [u8], at: usize| bytes[at / 8] ^= 1 << (at % 8);
            let payload = envelope.payload.len() * 8;
            match at.index(payload + 512) {
                at if at < payload => flip(&mut envelope.payload, at),
                at => flip(&mut envelope.signatures[0].bytes, at - payload),
            }
            let error = envelope.verify(&[pair(1).public()]);
            prop_assert_eq!(error, Err(StatementError::BadSignature(pair(1).public().id())));
        }
    }
}
