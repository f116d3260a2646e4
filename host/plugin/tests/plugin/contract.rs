//! The contract says of everything in it what it is.

use std::path::Path;

use sluice_model::Digest;

use wit_parser::{Docs, PackageId, Resolve, Type, TypeDef, TypeDefKind};

/// What lies in an item, each with its doc.
fn parts(of: &TypeDef) -> Vec<(&str, &Docs)> {
    match &of.kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|it| (it.name.as_str(), &it.docs)).collect(),
        TypeDefKind::Variant(variant) => {
            variant.cases.iter().map(|it| (it.name.as_str(), &it.docs)).collect()
        }
        TypeDefKind::Enum(cases) => cases.cases.iter().map(|it| (it.name.as_str(), &it.docs)).collect(),
        TypeDefKind::Flags(flags) => flags.flags.iter().map(|it| (it.name.as_str(), &it.docs)).collect(),
        _ => Vec::new(),
    }
}

/// Everything in a package that nothing is said of, by name.
fn undocumented(resolve: &Resolve, package: PackageId) -> Vec<String> {
    let package = &resolve.packages[package];
    let mut found = Vec::new();
    let mut look = |name: String, docs: &Docs| {
        if !docs.contents.as_ref().is_some_and(|text| text.contains(char::is_alphabetic)) {
            found.push(name);
        }
    };
    look(package.name.to_string(), &package.docs);
    for (name, world) in &package.worlds {
        look(name.clone(), &resolve.worlds[*world].docs);
    }
    for (name, interface) in &package.interfaces {
        let interface = &resolve.interfaces[*interface];
        look(name.clone(), &interface.docs);
        for (of, ty) in &interface.types {
            let ty = &resolve.types[*ty];
            // What another interface declares is documented there.
            let is_used = matches!(ty.kind, TypeDefKind::Type(Type::Id(other)) if resolve.types[other].owner != ty.owner);
            if !is_used {
                look(format!("{name}.{of}"), &ty.docs);
            }
            for (part, docs) in parts(ty) {
                look(format!("{name}.{of}.{part}"), docs);
            }
        }
        for (function, it) in &interface.functions {
            look(format!("{name}.{function}"), &it.docs);
        }
    }
    found
}

#[test]
fn everything_in_the_contract_is_documented() {
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/1.0");
    let (package, _) = resolve.push_dir(folder).unwrap();
    assert_eq!(resolve.packages[package].name.to_string(), "sluice:plugin@1.0.0");
    assert_eq!(undocumented(&resolve, package), [""; 0]);
}

#[test]
fn what_nothing_is_said_of_is_found() {
    let mut resolve = Resolve::default();
    let text = "
        package a:b@1.0.0;
        interface other {
          /// A name of something.
          type name = string;
        }
        /// What it is about.
        interface shapes {
          use other.{name};
          type pointer = string;
          /// A record.
          record pair { left: name, /// The right one.
            right: u8 }
          /// A choice.
          variant choice { none, /// -
            some(u8) }
          enum level { /// Not bad.
            good }
          /// Some flags.
          flags set { one }
          /// A thing.
          resource thing {
            constructor();
            /// Turns it.
            turn: func();
            stop: func();
          }
          run: func();
        }
        world w { import shapes; }
    ";
    let package = resolve.push_str("planted.wit", text).unwrap();
    let mut found = undocumented(&resolve, package);
    found.sort();
    assert_eq!(
        found,
        [
            "a:b@1.0.0",
            "other",
            "shapes.[constructor]thing",
            "shapes.[method]thing.stop",
            "shapes.choice.none",
            "shapes.choice.some",
            "shapes.level",
            "shapes.pair.left",
            "shapes.pointer",
            "shapes.run",
            "shapes.set.one",
            "w",
        ]
    );
}

/// The released versions of the contract, and what each says. A released one never changes: what is added
/// comes with `@since`, in a version of its own.
const RELEASED: [(&str, &str); 1] =
    [("1.0", "sha256:fb5d867839b0d74b799830147b9fc8bc080d7f14f13d4960c749fc7a39c6e24b")];

#[test]
fn what_was_released_is_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    for (version, digest) in RELEASED {
        let there: Vec<_> = std::fs::read_dir(folder.join(version))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(there, ["plugin.wit"], "each file of wit/{version} is part of the contract");
        let text = std::fs::read(folder.join(version).join("plugin.wit")).unwrap();
        assert_eq!(Digest::of(&text).to_string(), digest, "wit/{version} was released and may not change");
    }
    // And nothing is there that was not.
    let mut there: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    there.sort();
    assert_eq!(there, RELEASED.map(|(version, _)| version));
}

#[test]
fn a_plugin_of_each_released_version_is_still_taken() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let host = sluice_plugin::Host::new(sluice_plugin::Limits::default()).unwrap();
    for (version, _) in RELEASED {
        let component = std::fs::read(folder.join(format!("{version}.wasm"))).unwrap();
        let report = sluice_plugin::conformance::Suite::default().run(&host, version, &component);
        assert!(report.grade() >= sluice_plugin::conformance::Grade::Conforms, "{version}: {report:#?}");
    }
}
