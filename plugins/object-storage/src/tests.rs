use sluice_guest::options::{Leaves, Side};
use sluice_guest::{OptionLeaf, Scalar, Value};

use super::*;

#[test]
fn traits_follow_from_the_options() {
    for (name, given, endpoint, tls, privileged) in [
        ("gcs", vec![], Some("https://storage.googleapis.com"), Some(true), None),
        (
            "minio",
            vec![("/host/value", "m"), ("/access_key/value", "minioadmin")],
            Some("m:9000"),
            None,
            Some(true),
        ),
        (
            "minio",
            vec![("/host/value", "m"), ("/ssl_enabled/value", "true")],
            Some("m:9000"),
            Some(true),
            None,
        ),
        ("s3", vec![("/endpoint/value", "http://m")], Some("http://m"), Some(false), None),
        ("s3", vec![], None, None, None),
    ] {
        let leaf = |(at, text): &(&str, &str)| OptionLeaf {
            at: (*at).to_owned(),
            value: Value::Plain(Scalar::Text((*text).to_owned())),
        };
        let spec = ObjectStorage::kinds().iter().find(|spec| spec.name == name).unwrap();
        let leaves = Leaves::new(spec, given.iter().map(leaf).collect());
        let traits = ObjectStorage::traits(spec, &leaves.options(Side::Binding));
        assert_eq!(traits.endpoints.first().map(String::as_str), endpoint, "{given:?}");
        assert_eq!((traits.tls, traits.privileged), (tls, privileged), "{given:?}");
    }
}
