use super::*;

#[test]
fn an_origin_is_scheme_host_and_port() {
    for (url, expected) in [
        ("https://api.example:8443/v1?x=1", Some("https://api.example:8443")),
        ("http://user:secret@api.example", Some("http://api.example")),
        ("https://{{constants.HOST}}/v1", Some("https://{{constants.HOST}}")),
        ("{{secrets.url}}/v1", Some("{{secrets.url}}/v1")),
        ("https:///v1", None),
        ("api", None),
    ] {
        assert_eq!(origin(url).as_deref(), expected, "{url}");
    }
}

#[test]
fn only_a_known_scheme_says_whether_it_encrypts() {
    for (url, expected) in
        [("HTTPS://a", Some(true)), ("http://a", Some(false)), ("ftp://a", None), ("{{secrets.url}}", None)]
    {
        assert_eq!(encrypted(url), expected, "{url}");
    }
}
