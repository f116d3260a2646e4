//! Files as they come in, bounded before they are parsed.

use aho_corasick::AhoCorasick;
use serde_json::Value;
use sluice_model::{Pointer, content, json};

/// Bytes that are read at most unless configuration says otherwise: twenty times the largest
/// export seen, and small enough to hold parsed in memory several times over.
pub const DEFAULT_LIMIT: usize = 64 << 20;

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Its name, for messages and for writing it again.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Why files are not an export that can be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing was given.
    #[error("there is no file to read: name an export, or a folder that holds some")]
    NoFiles,
    /// More than the limit, over all files.
    #[error("`{file}`: {bytes} bytes in all are more than the limit of {limit} bytes")]
    TooLarge {
        /// The file that passed the limit.
        file: String,
        /// Bytes up to and with that file.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Something else than JSON.
    #[error("`{file}` is no JSON: give the file that the platform's own export wrote")]
    NotJson {
        /// The file.
        file: String,
    },
    /// Not JSON that can be kept exactly.
    #[error("`{file}`{}: {source}; {}", line.map(|n| format!(" record on line {n}")).unwrap_or_default(), advice(source))]
    Json {
        /// The file.
        file: String,
        /// Where a file holds a record a line, the line from 1.
        line: Option<usize>,
        /// What is wrong, and where.
        source: json::ReadError,
    },
    /// A member name that Sluice keeps for its own marks.
    #[error(
        "`{file}`: the member at `{at}` has a name that is reserved for marks; rename it in the platform"
    )]
    Reserved {
        /// The file.
        file: String,
        /// The member.
        at: Pointer,
    },
    /// An export of a platform that is known and not served.
    #[error("`{file}` is an export of {platform}, which is not served: give one of ToolJet or Lowcoder")]
    OtherPlatform {
        /// The file.
        file: String,
        /// The platform.
        platform: &'static str,
    },
    /// Not recognised.
    #[error(
        "`{file}` is no export of ToolJet or Lowcoder: {why}; give the file that the platform's own export wrote"
    )]
    Unknown {
        /// The file.
        file: String,
        /// What is missing.
        why: &'static str,
    },
    /// Several files of which at least one stands for itself.
    #[error("`{file}` is a whole export of ToolJet: read it alone, not together with other files")]
    NotAlone {
        /// The file.
        file: String,
    },
    /// Not in the shape of the platform's exports.
    #[error("`{file}`: the value at `{at}` is not {wanted}; export it again and do not edit it")]
    Structure {
        /// The file.
        file: String,
        /// Where.
        at: Pointer,
        /// What has to be there.
        wanted: &'static str,
    },
    /// One identity twice.
    #[error("`{file}`: `{id}` occurs twice as {what}; keep one of them")]
    Repeated {
        /// The file with the second one.
        file: String,
        /// What it is.
        what: &'static str,
        /// The id.
        id: String,
    },
}

const fn advice(source: &json::ReadError) -> &'static str {
    match source {
        json::ReadError::Empty | json::ReadError::CutOff { .. } => "export it again and take the whole file",
        json::ReadError::Inexact { .. } => "hold it as text in the platform and export it again",
        _ => "export it again and do not edit it",
    }
}

/// One parsed document of a file.
pub(crate) struct Document {
    pub(crate) file: String,
    pub(crate) layout: Layout,
    pub(crate) records: Vec<Value>,
}

/// How a file holds its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One document.
    Single,
    /// A JSON array.
    Array,
    /// A record a line, as `mongoexport` writes.
    Lines,
}

impl Layout {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Array => "array",
            Self::Lines => "lines",
        }
    }

    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "array" => Self::Array,
            "lines" => Self::Lines,
            _ => Self::Single,
        }
    }
}

pub(crate) fn parse(files: &[InputFile], limit: usize) -> Result<Vec<Document>, ReadError> {
    if files.is_empty() {
        return Err(ReadError::NoFiles);
    }
    let mut bytes = 0usize;
    for file in files {
        bytes = bytes.saturating_add(file.bytes.len());
        if bytes > limit {
            return Err(ReadError::TooLarge { file: file.name.clone(), bytes, limit });
        }
    }
    files.iter().map(|file| parse_one(file, limit)).collect()
}

fn parse_one(file: &InputFile, limit: usize) -> Result<Document, ReadError> {
    let failed = |line| move |source| ReadError::Json { file: file.name.clone(), line, source };
    let document = if is_lines(&file.bytes, limit) {
        let records = file
            .bytes
            .split(|byte| *byte == b'\n')
            .enumerate()
            .filter(|(_, line)| !line.trim_ascii().is_empty())
            .map(|(index, line)| json::read(line, limit).map_err(failed(Some(index + 1))))
            .collect::<Result<_, _>>()?;
        Document { file: file.name.clone(), layout: Layout::Lines, records }
    } else {
        let read = json::read(&file.bytes, limit);
        if matches!(read, Err(json::ReadError::Syntax { .. })) && !begins_as_export(&file.bytes) {
            return Err(ReadError::NotJson { file: file.name.clone() });
        }
        match read.map_err(failed(None))? {
            Value::Array(records) => Document { file: file.name.clone(), layout: Layout::Array, records },
            record => Document { file: file.name.clone(), layout: Layout::Single, records: vec![record] },
        }
    };
    let suspect = if may_be_reserved(&file.bytes) { document.records.as_slice() } else { &[] };
    match suspect.iter().find_map(content::reserved) {
        Some(at) => Err(ReadError::Reserved { file: file.name.clone(), at }),
        None => Ok(document),
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether an object or a list begins there, as in every export.
fn begins_as_export(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii_start();
    matches!(bytes.first(), Some(b'{' | b'['))
}

/// Whether the first line is a whole record and more lines follow.
fn is_lines(bytes: &[u8], limit: usize) -> bool {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (Some(first), Some(more)) = (lines.next(), lines.next()) else { return false };
    let first = first.trim_ascii();
    first.starts_with(b"{")
        && first.ends_with(b"}")
        && !more.trim_ascii().is_empty()
        && json::read(first, limit).is_ok()
}

/// Whether the reserved name can be anywhere in these bytes: as it is, or with letters escaped. It
/// is the rarest of things, and looking through bytes is far cheaper than through what they hold.
fn may_be_reserved(bytes: &[u8]) -> bool {
    AhoCorasick::new([content::MARK, "\\u"]).map_or(true, |names| names.is_match(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> InputFile {
        InputFile { name: "x.json".into(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn tells_a_document_an_array_and_lines_apart() {
        for (text, layout, records) in [
            ("{\n\"a\": 1}", Layout::Single, 1),
            ("[{\"a\": 1},\n{\"a\": 2}]", Layout::Array, 2),
            ("{\"a\": 1}\n{\"a\": 2}\n\n", Layout::Lines, 2),
            ("{\"a\": 1}\n", Layout::Single, 1),
            ("\u{feff}{\"a\": 1}\r\n{\"a\": 2}\r\n", Layout::Lines, 2),
        ] {
            let documents = parse(&[file(text)], 100).unwrap();
            assert_eq!((documents[0].layout, documents[0].records.len()), (layout, records), "{text}");
        }
    }

    #[test]
    fn refuses_and_names_the_place() {
        for (text, expected) in [
            ("{\"a\": 1}\n{\"a\": }\n", "`x.json` record on line 2"),
            ("{\"a\": [{\"$sluice\": 1}]}", "`/a/0/$sluice`"),
            ("{\"a\": [{\"\\u0024slu\\u0069ce\": 1}]}", "`/a/0/$sluice`"),
            ("{\"a\": 1, \"a\": 2}", "the key at `/a` occurs twice"),
            (
                "{\"a\": ",
                "at line 1 column 7, so the rest is missing; export it again and take the whole file",
            ),
            ("{\"a\": tru}", "at line 1 column 10; export it again and do not edit it"),
            ("<html>{}</html>", "`x.json` is no JSON: give the file that the platform's own export wrote"),
            ("\u{feff} app: Orders\n", "`x.json` is no JSON"),
        ] {
            let error = parse(&[file(text)], 100).err().map(|e| e.to_string()).unwrap();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let both = [file("[]"), file("[1, 2]")];
        let error = parse(&both, 5).err().map(|e| e.to_string()).unwrap();
        assert!(error.contains("8 bytes in all are more than the limit of 5 bytes"), "{error}");
    }
}
