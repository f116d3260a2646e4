//! What a component may be made of before anything compiles it.
//!
//! Compiling costs more than reading, and not only in proportion: so what a component consists of
//! is counted first, in one pass that keeps nothing and runs in time and stack that its length
//! bounds. It reads the binary format as far as that says what there is (WebAssembly core
//! specification, chapter 5; component model, `Binary.md`) and judges nothing else: whether it is
//! valid is for the compiler to say.

use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentAlias, ComponentType, ComponentTypeDeclaration, ElementItems,
    Parser, Payload, Validator, WasmFeatures,
};

use crate::error::{Part, Reason, shown};
use crate::limits::Limits;

/// Bytes of a page of memory.
const PAGE: u64 = 65_536;

/// How much of each part is compiled: at least twice, and mostly ten times, what the largest guest
/// that was seen has. That one carries CPython, is linked from 14 modules and has a function of
/// 417 KiB.
fn most(part: Part, limits: &Limits) -> u64 {
    match part {
        Part::Sections => 20_000,
        Part::Levels => 8,
        Part::TypeLevels => 16,
        Part::Modules => 4 * limits.instances as u64,
        Part::Components => 64,
        Part::Types | Part::Instances | Part::Aliases | Part::Globals | Part::Segments => 50_000,
        Part::Imports | Part::Exports => 100_000,
        Part::Functions => 200_000,
        Part::FunctionBytes => 1 << 20,
        Part::Locals => 10_000,
        Part::Tables => limits.instances as u64,
        Part::TableElements => limits.table_elements as u64,
        Part::Memories => u64::from(crate::contract::MEMORIES),
        Part::MemoryBytes => limits.memory_bytes as u64,
        Part::SegmentElements => 500_000,
        Part::NameBytes => 4_096,
    }
}

/// What a component has of each part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts([u64; Part::COUNT]);

/// Refuses what is no component, and one that is made of too much.
pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Result<(), Reason> {
    count(bytes, |part| most(part, limits)).map(drop)
}

/// Whether these bytes are a component that can be compiled: made of no more than is, and valid.
/// Nothing is compiled or run.
///
/// # Errors
/// Why not: [`Reason::TooLarge`], [`Reason::NotAComponent`] or [`Reason::OverBounds`].
pub fn examine(component: &[u8], limits: &Limits) -> Result<(), Reason> {
    let limit = limits.component_bytes;
    if component.len() > limit {
        return Err(Reason::TooLarge { bytes: component.len(), limit });
    }
    check(component, limits)?;
    let valid = Validator::new_with_features(features()).validate_all(component);
    valid.map(drop).map_err(|error| Reason::NotAComponent(shown(&error.to_string())))
}

/// What the engine lets a component have; see [`crate::host::code`].
fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
}

fn count(bytes: &[u8], most: impl Fn(Part) -> u64) -> Result<Counts, Reason> {
    if !Parser::is_component(bytes) {
        return Err(Reason::NotAComponent("it does not begin as a component does".to_owned()));
    }
    let mut bounds = Bounds { counts: Counts::default(), most };
    bounds.all(bytes).map_err(|refused| match refused {
        Refused::Over(reason) => reason,
        Refused::Malformed(error) => Reason::NotAComponent(shown(&error.to_string())),
    })?;
    Ok(bounds.counts)
}

enum Refused {
    Over(Reason),
    Malformed(BinaryReaderError),
}

impl From<BinaryReaderError> for Refused {
    fn from(error: BinaryReaderError) -> Self {
        Self::Malformed(error)
    }
}

struct Bounds<M> {
    counts: Counts,
    most: M,
}

impl<M: Fn(Part) -> u64> Bounds<M> {
    /// Adds to what there is of a part.
    fn add(&mut self, part: Part, more: u64) -> Result<(), Refused> {
        let Some(count) = self.counts.0.get_mut(part as usize) else { return Ok(()) };
        *count = count.saturating_add(more);
        let (found, most) = (*count, (self.most)(part));
        if found > most { Err(Refused::Over(Reason::OverBounds { part, found, most })) } else { Ok(()) }
    }

    /// Takes note of something of which the largest counts.
    fn raise(&mut self, part: Part, found: u64) -> Result<(), Refused> {
        let Some(count) = self.counts.0.get_mut(part as usize) else { return Ok(()) };
        let more = found.saturating_sub(*count);
        self.add(part, more)
    }

    fn name(&mut self, name: &str) -> Result<(), Refused> {
        self.raise(Part::NameBytes, name.len() as u64)
    }

    fn all(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let mut levels = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match &payload {
                Payload::Version { .. } => {
                    levels += 1;
                    self.raise(Part::Levels, levels)?;
                }
                Payload::End(_) => levels = levels.saturating_sub(1),
                // Counted with its section.
                Payload::CodeSectionEntry(_) => {}
                _ => self.add(Part::Sections, 1)?,
            }
            if let Payload::ComponentTypeSection(types) = payload {
                // Read here and not by the library, which follows types into each other as deep as
                // they go.
                let range = types.range();
                let section = bytes.get(range.clone()).unwrap_or_default();
                self.types(BinaryReader::new(section, range.start))?;
            } else {
                self.payload(payload)?;
            }
        }
        Ok(())
    }

    fn payload(&mut self, payload: Payload<'_>) -> Result<(), Refused> {
        match payload {
            Payload::ModuleSection { .. } => self.add(Part::Modules, 1),
            Payload::ComponentSection { .. } => self.add(Part::Components, 1),
            Payload::CustomSection(section) => self.name(section.name()),
            Payload::TypeSection(_)
            | Payload::ImportSection(_)
            | Payload::FunctionSection(_)
            | Payload::TableSection(_)
            | Payload::MemorySection(_)
            | Payload::GlobalSection(_)
            | Payload::ExportSection(_)
            | Payload::ElementSection(_)
            | Payload::DataSection(_)
            | Payload::CodeSectionEntry(_) => self.of_module(payload),
            _ => self.of_component(payload),
        }
    }

    fn of_module(&mut self, payload: Payload<'_>) -> Result<(), Refused> {
        match payload {
            Payload::TypeSection(types) => self.add(Part::Types, types.count().into())?,
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    self.add(Part::Imports, 1)?;
                    self.name(import.module)?;
                    self.name(import.name)?;
                }
            }
            Payload::FunctionSection(functions) => self.add(Part::Functions, functions.count().into())?,
            Payload::TableSection(tables) => {
                for table in tables {
                    let elements = table?.ty.initial;
                    self.add(Part::Tables, 1)?;
                    self.add(Part::TableElements, elements)?;
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let pages = memory?.initial;
                    self.add(Part::Memories, 1)?;
                    self.add(Part::MemoryBytes, pages.saturating_mul(PAGE))?;
                }
            }
            Payload::GlobalSection(globals) => self.add(Part::Globals, globals.count().into())?,
            Payload::ExportSection(exports) => {
                self.add(Part::Exports, exports.count().into())?;
                for export in exports {
                    self.name(export?.name)?;
                }
            }
            Payload::ElementSection(segments) => {
                self.add(Part::Segments, segments.count().into())?;
                for segment in segments {
                    let elements = match segment?.items {
                        ElementItems::Functions(functions) => functions.count(),
                        ElementItems::Expressions(_, expressions) => expressions.count(),
                    };
                    self.add(Part::SegmentElements, elements.into())?;
                }
            }
            Payload::DataSection(segments) => self.add(Part::Segments, segments.count().into())?,
            Payload::CodeSectionEntry(body) => {
                self.raise(Part::FunctionBytes, body.range().len() as u64)?;
                let mut locals = 0_u64;
                for declared in body.get_locals_reader()? {
                    let (count, _) = declared?;
                    locals += u64::from(count);
                }
                self.raise(Part::Locals, locals)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn of_component(&mut self, payload: Payload<'_>) -> Result<(), Refused> {
        match payload {
            Payload::InstanceSection(instances) => self.add(Part::Instances, instances.count().into())?,
            Payload::ComponentInstanceSection(instances) => {
                self.add(Part::Instances, instances.count().into())?;
            }
            Payload::CoreTypeSection(types) => self.add(Part::Types, types.count().into())?,
            Payload::ComponentAliasSection(aliases) => {
                self.add(Part::Aliases, aliases.count().into())?;
                for alias in aliases {
                    if let ComponentAlias::InstanceExport { name, .. }
                    | ComponentAlias::CoreInstanceExport { name, .. } = alias?
                    {
                        self.name(name)?;
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                self.add(Part::Functions, functions.count().into())?;
            }
            Payload::ComponentImportSection(imports) => {
                self.add(Part::Imports, imports.count().into())?;
                for import in imports {
                    self.name(import?.name.name)?;
                }
            }
            Payload::ComponentExportSection(exports) => {
                self.add(Part::Exports, exports.count().into())?;
                for export in exports {
                    self.name(export?.name.name)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Types of components, some of which have declarations in them, some of which are types.
    fn types(&mut self, mut reader: BinaryReader<'_>) -> Result<(), Refused> {
        /// Begins a type, among declarations.
        const TYPE: u8 = 0x01;
        /// Begin the types of components and of instances: those with declarations.
        const COMPONENT: u8 = 0x41;
        const INSTANCE: u8 = 0x42;
        // How many there are still to read, from the outermost level on.
        let count = reader.read_var_u32()?;
        self.add(Part::Types, count.into())?;
        let mut ahead = vec![count];
        while let Some(left) = ahead.last_mut() {
            let Some(fewer) = left.checked_sub(1) else {
                ahead.pop();
                continue;
            };
            *left = fewer;
            let is_declaration = ahead.len() > 1;
            let mut after = reader.clone();
            if is_declaration && after.read_u8()? != TYPE {
                reader.read::<ComponentTypeDeclaration<'_>>()?;
                continue;
            }
            if !matches!(after.read_u8()?, COMPONENT | INSTANCE) {
                match is_declaration {
                    true => drop(reader.read::<ComponentTypeDeclaration<'_>>()?),
                    false => drop(reader.read::<ComponentType<'_>>()?),
                }
                continue;
            }
            let inner = after.read_var_u32()?;
            reader = after;
            self.add(Part::Types, inner.into())?;
            ahead.push(inner);
            self.raise(Part::TypeLevels, ahead.len() as u64)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of the binary format's numbers.
    fn number(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let byte = (number & 0x7f) as u8;
            number >>= 7;
            if number == 0 {
                bytes.push(byte);
                return bytes;
            }
            bytes.push(byte | 0x80);
        }
    }

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id][..], &number(content.len()), content].concat()
    }

    fn component(sections: &[Vec<u8>]) -> Vec<u8> {
        [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
    }

    fn module(sections: &[Vec<u8>]) -> Vec<u8> {
        [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
    }

    /// A component with a core module of these sections.
    fn with_module(sections: &[Vec<u8>]) -> Vec<u8> {
        component(&[section(1, &module(sections))])
    }

    /// A list of the same item, so often.
    fn list(count: usize, item: &[u8]) -> Vec<u8> {
        [number(count), item.repeat(count)].concat()
    }

    fn over(bytes: &[u8]) -> Part {
        match check(bytes, &Limits::default()) {
            Err(Reason::OverBounds { part, found, most }) => {
                assert!(found > most, "{part}");
                part
            }
            other => panic!("not over any bound: {other:?}"),
        }
    }

    /// Components inside each other.
    fn nested(depth: usize) -> Vec<u8> {
        (0..depth).fold(component(&[]), |inner, _| component(&[section(4, &inner)]))
    }

    /// Types of components inside each other.
    fn nested_types(depth: usize) -> Vec<u8> {
        let mut types = [vec![1, 0x42], [1, 1, 0x42].repeat(depth)].concat();
        types.push(0);
        component(&[section(7, &types)])
    }

    #[test]
    fn what_is_made_of_too_much_is_refused_before_it_is_compiled() {
        let name = |length: usize| [number(length), vec![b'x'; length]].concat();
        let a_function = section(1, &[1, 0x60, 0, 0]);
        for (what, bytes, expected) in [
            (
                "sections",
                component(
                    &section(0, &name(1)).repeat(20_001).chunks(4).map(<[u8]>::to_vec).collect::<Vec<_>>(),
                ),
                Part::Sections,
            ),
            (
                "components beside each other",
                component(&vec![section(4, &component(&[])); 1_000]),
                Part::Components,
            ),
            ("components inside each other", nested(1_000), Part::Levels),
            ("types inside each other", nested_types(20), Part::TypeLevels),
            // Deep enough to end the process where it is followed by calls.
            ("millions of types inside each other", nested_types(7_000_000), Part::TypeLevels),
            ("modules", component(&vec![section(1, &module(&[])); 1_000]), Part::Modules),
            ("types", component(&[section(7, &list(1_000_000, &[0x7f]))]), Part::Types),
            (
                "types declared in one",
                component(&[section(7, &[vec![1, 0x42], list(900_000, &[1, 0x7f])].concat())]),
                Part::Types,
            ),
            ("core types", with_module(&[section(1, &list(60_000, &[0x60, 0, 0]))]), Part::Types),
            (
                "functions",
                with_module(&[a_function.clone(), section(3, &list(900_000, &[0]))]),
                Part::Functions,
            ),
            (
                "a giant function",
                with_module(&[
                    a_function.clone(),
                    section(3, &[1, 0]),
                    section(10, &[vec![1], section(0, &vec![1; 2 << 20]).split_off(1)].concat()),
                ]),
                Part::FunctionBytes,
            ),
            (
                "a br_table of a million targets",
                with_module(&[
                    a_function.clone(),
                    section(3, &[1, 0]),
                    section(10, &{
                        let body =
                            [&[0, 0x41, 0, 0x0e][..], &number(1_000_000), &vec![0; 1_000_001], &[0x0b]];
                        let body = [body.concat(), vec![0x0b; 100_000]].concat();
                        [vec![1], number(body.len()), body].concat()
                    }),
                ]),
                Part::FunctionBytes,
            ),
            (
                "variables",
                with_module(&[
                    a_function.clone(),
                    section(3, &[1, 0]),
                    section(10, &{
                        let body = [vec![1], number(40_000), vec![0x7f, 0x0b]].concat();
                        [vec![1], number(body.len()), body].concat()
                    }),
                ]),
                Part::Locals,
            ),
            (
                "aliases",
                component(&[section(6, &list(60_000, &[0x00, 0x00, 0x01, 0, 1, b'x']))]),
                Part::Aliases,
            ),
            ("instances", component(&[section(2, &list(60_000, &[1, 0]))]), Part::Instances),
            (
                "imports",
                with_module(&[section(2, &list(110_000, &[0, 1, b'x', 0x03, 0x7f, 0]))]),
                Part::Imports,
            ),
            ("exports", with_module(&[section(7, &list(110_000, &[1, b'x', 0, 0]))]), Part::Exports),
            ("globals", with_module(&[section(6, &list(60_000, &[0x7f, 0, 0x41, 0, 0x0b]))]), Part::Globals),
            ("tables", with_module(&[section(4, &list(100, &[0x70, 0, 1]))]), Part::Tables),
            (
                "a table of a million elements",
                with_module(&[section(4, &[vec![1, 0x70, 0], number(1_000_000)].concat())]),
                Part::TableElements,
            ),
            ("memories", with_module(&[section(5, &list(50, &[0, 1]))]), Part::Memories),
            (
                "a large memory",
                with_module(&[section(5, &[vec![1, 0], number(20_000)].concat())]),
                Part::MemoryBytes,
            ),
            ("segments", with_module(&[section(11, &list(60_000, &[1, 0]))]), Part::Segments),
            (
                "elements in a segment",
                with_module(&[section(9, &[vec![1, 1, 0], list(600_000, &[0])].concat())]),
                Part::SegmentElements,
            ),
            ("a long name", component(&[section(0, &name(5_000))]), Part::NameBytes),
            (
                "an import's long name",
                with_module(&[section(2, &[vec![1, 0], name(5_000), vec![0x03, 0x7f, 0]].concat())]),
                Part::NameBytes,
            ),
        ] {
            assert!(bytes.len() <= Limits::default().component_bytes, "{what}");
            assert_eq!(over(&bytes), expected, "{what}");
        }
    }

    #[test]
    fn what_is_within_the_bounds_is_left_to_the_compiler() {
        for (what, bytes) in [
            ("nothing", component(&[])),
            ("some components", nested(7)),
            ("some types", nested_types(10)),
            // Valid or not: that is not judged here.
            ("an export of nothing", with_module(&[section(7, &[1, 1, b'x', 0, 9])])),
        ] {
            assert_eq!(check(&bytes, &Limits::default()), Ok(()), "{what}");
        }
    }

    #[test]
    fn what_is_no_component_is_refused() {
        for (what, bytes) in [
            ("nothing", vec![]),
            ("half a beginning", b"\0asm".to_vec()),
            ("a module", module(&[])),
            ("a section that ends too early", component(&[vec![7, 100, 1]])),
            ("a list that ends too early", component(&[section(7, &number(10))])),
            ("a type that ends too early", component(&[section(7, &[1, 0x42, 3, 1])])),
            ("an unknown type", component(&[section(7, &[1, 0x42, 1, 9])])),
            ("a module cut short", component(&[section(1, &module(&[vec![1, 9]]))])),
        ] {
            let refused = check(&bytes, &Limits::default());
            assert!(matches!(refused, Err(Reason::NotAComponent(_))), "{what}: {refused:?}");
        }
    }

    #[test]
    fn each_bound_is_far_from_what_a_real_guest_has() {
        let folder = std::env::var_os("SLUICE_PLUGINS").map_or_else(
            || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"),
            std::path::PathBuf::from,
        );
        let bytes = std::fs::read(folder.join("sql.wasm")).unwrap();
        let limits = Limits::default();
        let counts = count(&bytes, |part| most(part, &limits) / 2).unwrap();
        assert!(counts.0.iter().all(|count| *count > 0), "each part is counted: {counts:?}");
    }
}
