//! Where in the files of an export the content of its objects stands.

use std::collections::BTreeMap;

use sluice_model::{Pointer, position};

use crate::InputFile;
use crate::input::Layout;
use crate::thing::NativeKey;

/// Where everything that becomes an object stands in the files of an export.
#[derive(Debug, Clone, Default)]
pub struct Places(BTreeMap<NativeKey, Vec<Part>>);

/// A part of an object's content, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The part: the root, or something inside that stands elsewhere.
    pub(crate) content: Pointer,
    pub(crate) document: Spot,
    /// Within the document.
    pub(crate) at: Pointer,
    /// Whether what is inside the part stands there in another order.
    pub(crate) reordered: bool,
}

/// A JSON document among the files of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    /// Which of the files.
    pub(crate) file: usize,
    /// Which of its records, where it holds a record a line.
    pub(crate) record: Option<usize>,
}

/// A place in one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFile {
    /// Which of the files, from 0.
    pub file: usize,
    /// JSON pointer into it; of a file that holds a record a line, into the record.
    pub at: Pointer,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Part {
    /// A part whose content stands in the file as it is.
    pub(crate) fn new(content: Pointer, document: Spot, at: Pointer) -> Self {
        Self { content, document, at, reordered: false }
    }

    /// Where something in an object stands.
    fn place(&self, in_object: &Pointer) -> Pointer {
        let inside = in_object.tokens().iter().skip(self.content.tokens().len());
        inside.take_while(|_| !self.reordered).fold(self.at.clone(), |at, token| at.child(token))
    }
}

impl Spot {
    /// The `record`-th record of the `file`-th file, with the pointer to it.
    pub(crate) fn of(file: usize, layout: Layout, record: usize) -> (Self, Pointer) {
        let document = Self { file, record: (layout == Layout::Lines).then_some(record) };
        let at = if layout == Layout::Array { Pointer::root().child(record) } else { Pointer::root() };
        (document, at)
    }

    /// The bytes of the document, and how many lines stand before it.
    fn bytes<'f>(&self, files: &'f [InputFile]) -> Option<(&'f [u8], usize)> {
        let bytes = files.get(self.file)?.bytes.as_slice();
        let Some(record) = self.record else { return Some((bytes, 0)) };
        let lines = bytes.split(|byte| *byte == b'\n').enumerate();
        let mut records = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
        records.nth(record).map(|(index, line)| (line, index))
    }
}

impl Places {
    pub(crate) fn add(&mut self, key: NativeKey, parts: Vec<Part>) {
        self.0.entry(key).or_insert(parts);
    }

    /// Finds places in objects' contents in the files that the export was read from, in the order of
    /// `wanted`. What is in a content and not in the file leads to the nearest around it that is;
    /// nothing is found of what the export does not hold.
    #[must_use]
    pub fn locate(&self, files: &[InputFile], wanted: &[(&NativeKey, &Pointer)]) -> Vec<Option<InFile>> {
        // By document, each of which is gone through once.
        let mut by_document: BTreeMap<Spot, Vec<(usize, Pointer)>> = BTreeMap::new();
        for (index, (key, at)) in wanted.iter().enumerate() {
            let parts = self.0.get(key).into_iter().flatten().filter(|part| at.is_within(&part.content));
            if let Some(part) = parts.max_by_key(|part| part.content.tokens().len()) {
                by_document.entry(part.document).or_default().push((index, part.place(at)));
            }
        }
        let mut located = vec![None; wanted.len()];
        for (document, asked) in by_document {
            let Some((bytes, before)) = document.bytes(files) else { continue };
            let pointers: Vec<&Pointer> = asked.iter().map(|(_, at)| at).collect();
            for ((index, _), found) in asked.iter().zip(position::find(bytes, &pointers)) {
                if let (Some(place), Some(found)) = (located.get_mut(*index), found) {
                    let line = before + found.position.line;
                    let (file, column) = (document.file, found.position.column);
                    *place = Some(InFile { file, at: found.at, line, column });
                }
            }
        }
        located
    }
}
