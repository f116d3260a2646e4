//! What merely looks like a secret.
//!
//! Everything here runs in time linear in the text: hints are found by one Aho-Corasick pass, and
//! only the patterns whose hint was seen are tried, each by a finite automaton without backtracking.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex::Regex;

use crate::Likeness;
use crate::promise::Promise;

/// A piece of text that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) range: Range<usize>,
    pub(crate) what: Likeness,
}

/// How a value came by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// The member's name.
    Member,
    /// The other half of a pair, such as a header's name: the value is surely meant as one.
    Pair,
}

#[derive(Clone, Copy)]
enum Judge {
    /// Its form alone is proof enough.
    Form,
    /// Not code, not a placeholder.
    Literal,
    /// As `Literal`, and with a digit.
    Random,
    /// As `Literal`, and made by a machine to be guessed by nobody.
    Made,
}

struct Pattern {
    what: Likeness,
    hints: &'static [&'static str],
    regex: &'static str,
    judge: Judge,
}

/// The first group is the secret; without one, the whole match is. Token forms are those that the
/// issuers document for secret scanners.
const PATTERNS: &[Pattern] = &[
    Pattern {
        what: Likeness::PrivateKey,
        hints: &["-----begin"],
        regex: r"(?s)-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|\z)",
        judge: Judge::Form,
    },
    Pattern {
        what: Likeness::Jwt,
        hints: &["eyj"],
        regex: r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
        judge: Judge::Form,
    },
    Pattern {
        what: Likeness::Token,
        hints: &[
            "akia",
            "asia",
            "ghp_",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "glpat-",
            "xox",
            "sk_",
            "rk_",
            "sk-",
            "aiza",
            "sg.",
            "npm_",
            "hf_",
            "dop_v1_",
            "ya29.",
            "pat",
            "key-",
            "sq0",
        ],
        regex: concat!(
            r"(?-u:\b)(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}",
            r"|xox[abeprs]-[A-Za-z0-9-]{10,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|sk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}",
            r"|AIza[0-9A-Za-z_-]{35}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{30,}",
            r"|dop_v1_[0-9a-f]{64}|ya29\.[A-Za-z0-9_-]{20,}|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}|key-[0-9a-f]{32}",
            r"|sq0[a-z]{3}-[A-Za-z0-9_-]{22,})",
        ),
        judge: Judge::Form,
    },
    Pattern {
        what: Likeness::Webhook,
        hints: &["hooks.slack.com/"],
        regex: r"hooks\.slack\.com/services/([A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]+)",
        judge: Judge::Form,
    },
    Pattern {
        what: Likeness::UrlPassword,
        hints: &["://"],
        regex: r#"(?i)(?-u:\b)[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'<>{}?#]*:([^\s/@"'<>{}]{1,200})@[a-z0-9\[]"#,
        judge: Judge::Literal,
    },
    Pattern {
        what: Likeness::Assignment,
        hints: ASSIGNED,
        regex: r#"(?i)(?:password|passwd|pwd|passphrase|client_?secret|secret_?key|secret_?access_?key|api[_-]?key|api[_-]?secret|access[_-]?token|auth[_-]?token|refresh[_-]?token|private[_-]?key|account_?key)["'`]?\s*(?:=>|:=|[:=])\s*["'`]([^\s"'`{}<>$]{6,})["'`]"#,
        judge: Judge::Literal,
    },
    Pattern {
        what: Likeness::Assignment,
        hints: ASSIGNED,
        regex: r#"(?i)(?:password|passwd|pwd|accountkey|sharedaccesskey|api[_-]?key|access[_-]?token|client_?secret)=([^\s"'`&;,{}<>()$\[\]]{6,})"#,
        judge: Judge::Random,
    },
    Pattern {
        what: Likeness::Authorization,
        hints: &["bearer", "basic"],
        regex: r"(?i)(?-u:\b)(?:bearer|basic)\s+([A-Za-z0-9._~+/=-]{12,})",
        judge: Judge::Random,
    },
    Pattern {
        what: Likeness::Assignment,
        hints: &["auth=", "code=", "key=", "sas=", "secret=", "sig=", "signature=", "token="],
        regex: r"(?i)[?&](?:[a-z0-9_.-]{0,40}(?:key|secret|signature|token)|auth|code|sas|sig)=([A-Za-z0-9%_~+/.:-]{16,}={0,2})",
        judge: Judge::Made,
    },
];

const ASSIGNED: &[&str] = &["password", "passwd", "pwd", "passphrase", "secret", "key", "token"];

struct Scanner {
    hints: Option<AhoCorasick>,
    /// For each hint, the patterns it stands for, as bits.
    of_hint: Vec<u32>,
    regexes: Vec<Option<Regex>>,
}

static SCANNER: LazyLock<Scanner> = LazyLock::new(|| {
    let (mut texts, mut of_hint) = (Vec::new(), Vec::new());
    for (index, pattern) in PATTERNS.iter().enumerate() {
        for hint in pattern.hints {
            texts.push(*hint);
            of_hint.push(1u32 << index);
        }
    }
    Scanner {
        hints: AhoCorasick::builder().ascii_case_insensitive(true).build(texts).ok(),
        of_hint,
        regexes: PATTERNS.iter().map(|pattern| Regex::new(pattern.regex).ok()).collect(),
    }
});

/// What looks like a secret in `text`, in order and without overlap.
///
/// `named` is what the name promises under which the text stands, if it promises anything.
pub(crate) fn find(text: &str, named: Option<(Promise, Naming)>) -> Vec<Suspect> {
    // An image that is part of a page is long and random, and no secret.
    if text.len() < 4 || text.starts_with("data:image/") || text.starts_with("data:font/") {
        return Vec::new();
    }
    let mut found = by_name(text, named).into_iter().collect::<Vec<_>>();
    if found.is_empty() && text.len() >= 8 {
        by_form(text, &mut found);
    }
    found
}

fn by_form(text: &str, found: &mut Vec<Suspect>) {
    let mut wanted = 0u32;
    match &SCANNER.hints {
        Some(hints) => {
            for hit in hints.find_overlapping_iter(text) {
                wanted |= SCANNER.of_hint.get(hit.pattern().as_usize()).copied().unwrap_or_default();
            }
        }
        None => wanted = u32::MAX,
    }
    if wanted == 0 {
        return;
    }
    for (index, pattern) in PATTERNS.iter().enumerate().filter(|(index, _)| wanted & (1 << index) != 0) {
        let Some(Some(regex)) = SCANNER.regexes.get(index) else { continue };
        for captures in regex.captures_iter(text) {
            let Some(hit) = captures.get(1).or_else(|| captures.get(0)) else { continue };
            let range = hit.range();
            let after = text.get(range.end..).unwrap_or_default();
            let ok = match pattern.judge {
                Judge::Form => true,
                Judge::Literal => is_literal(hit.as_str()),
                Judge::Random => {
                    is_literal(hit.as_str())
                        && hit.as_str().bytes().any(|b| b.is_ascii_digit())
                        && !after.starts_with(['(', '[', '.'])
                }
                Judge::Made => is_literal(hit.as_str()) && is_made(hit.as_str()),
            };
            if ok {
                found.push(Suspect { range, what: pattern.what });
            }
        }
    }
    // Of two that overlap, the one that begins first holds more of the secret.
    found.sort_by_key(|f| (f.range.start, std::cmp::Reverse(f.range.end)));
    let mut end = 0;
    found.retain(|f| {
        let apart = f.range.start >= end;
        end = end.max(f.range.end);
        apart
    });
    // No text that a person wrote holds so many; each would be a slot that a person has to judge.
    if found.len() > MOST_IN_ONE_TEXT {
        *found = vec![Suspect { range: 0..text.len(), what: Likeness::Many }];
    }
}

/// Suspects in one text beyond which the whole text is one.
const MOST_IN_ONE_TEXT: usize = 32;

fn by_name(text: &str, named: Option<(Promise, Naming)>) -> Option<Suspect> {
    let (promise, naming) = named?;
    let value = after_scheme(text);
    let start = text.len() - value.len();
    let value = value.trim_end();
    let enough = match (naming, promise) {
        (Naming::Pair, Promise::Token) => value.len() >= 6,
        (_, Promise::Password) => value.len() >= 4,
        (Naming::Member, Promise::Token) => value.len() >= 16 && is_random(value),
        (_, Promise::Nothing) => is_made(value),
    };
    let ok = enough && value.len() <= 8192 && !value.contains(char::is_whitespace) && is_literal(value);
    let what = if promise == Promise::Nothing { Likeness::Random } else { Likeness::Name };
    ok.then(|| Suspect { range: start..start + value.len(), what })
}

/// A name or id as it may be shown and stored beside content: what looks like a secret is left out.
pub(crate) fn shown(name: &str) -> String {
    let suspects = find(name, None);
    let mut shown = String::with_capacity(name.len());
    let mut done = 0;
    for found in suspects {
        shown.push_str(name.get(done..found.range.start).unwrap_or_default());
        shown.push_str("(withheld)");
        done = found.range.end;
    }
    shown.push_str(name.get(done..).unwrap_or_default());
    shown
}

/// The text without a leading authorization scheme (RFC 9110 §11.4).
pub(crate) fn after_scheme(text: &str) -> &str {
    let trimmed = text.trim_start();
    for scheme in ["bearer", "basic", "token", "digest", "apikey", "api-key"] {
        if let Some((head, rest)) = trimmed.split_at_checked(scheme.len())
            && head.eq_ignore_ascii_case(scheme)
            && rest.starts_with([' ', '\t'])
        {
            return rest.trim_start();
        }
    }
    trimmed
}

/// Whether a value could be a secret at all: no expression, code, placeholder, colour or UUID.
fn is_literal(value: &str) -> bool {
    const WORDS: &[&str] = &[
        "authorization",
        "default",
        "disabled",
        "enabled",
        "encrypted",
        "false",
        "hidden",
        "input",
        "null",
        "none",
        "number",
        "optional",
        "password",
        "passwd",
        "required",
        "secret",
        "string",
        "text",
        "token",
        "true",
        "undefined",
        "apikey",
        "api_key",
        "api-key",
        "access_token",
        "client_secret",
    ];
    let lower = value.to_ascii_lowercase();
    let masked = value.chars().all(|c| matches!(c, '*' | '•' | 'x' | 'X' | '.' | '-' | '_'));
    !(value.contains("{{")
        || value.contains("${")
        || value.starts_with("var(")
        || masked
        || WORDS.contains(&lower.as_str())
        || is_code(value)
        || is_uuid(value)
        || is_colour(value))
}

/// `values.password`, `event.target.value`, `getToken()`: a name for a value, not the value.
fn is_code(value: &str) -> bool {
    let Some(path) = value.split(['(', '[']).next() else { return false };
    let mut words = path.split('.');
    let is_word = |word: &str| {
        let mut chars = word.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$' || c == '?')
    };
    let dotted = path.contains('.') && path.len() <= 80 && words.clone().count() <= 6;
    // A JWT or a key with a dot in it is also words joined by dots; code uses short ones.
    (dotted && words.all(|word| is_word(word) && word.len() <= 24))
        || (path.len() < value.len() && is_word(path))
}

/// RFC 9562's text form.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() <= 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Letters and digits mixed, and more than three bits of entropy a character (Shannon): words and
/// identifiers stay below that, keys of sixteen characters and more lie above.
fn is_random(text: &str) -> bool {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum();
    entropy > 3.0
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && !text.contains("://")
}

/// What a machine drew, not what a person or a program composed: sixteen letters and digits or more
/// in which the alphabet changes every few places. Composed values, such as `2024-01-01T00:00:00Z`,
/// `application/vnd.github.v3+json` or `customersV2Export`, change it seldom; ids of MongoDB and
/// UUIDs change it as often, but are no secrets.
fn is_made(text: &str) -> bool {
    #[derive(PartialEq)]
    enum Alphabet {
        Lower,
        Upper,
        Digit,
    }
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_id = text.len() == 24 && is_hex(text) || text.get(..36).is_some_and(is_uuid);
    if is_id || !is_random(text) {
        return false;
    }
    let (mut length, mut changes, mut before) = (0usize, 0usize, None);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        // What is written as `%3A` is a separator.
        let escaped = c == '%' && rest.get(1..3).is_some_and(is_hex);
        rest = rest.get(if escaped { 3 } else { c.len_utf8() }..).unwrap_or_default();
        let now = match c {
            'a'..='z' => Some(Alphabet::Lower),
            'A'..='Z' => Some(Alphabet::Upper),
            '0'..='9' => Some(Alphabet::Digit),
            '-' | '_' | '+' | '/' | '=' | '.' | '~' | '%' | ':' => None,
            _ => return false,
        };
        length += usize::from(now.is_some());
        // Words begin with a capital letter.
        let changed = match (&before, &now) {
            (Some(Alphabet::Upper), Some(Alphabet::Lower)) | (None, _) | (_, None) => false,
            (before, now) => before != now,
        };
        changes += usize::from(changed);
        before = now;
    }
    length >= 16 && changes * 4 >= length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promise;

    #[test]
    fn every_pattern_compiles() {
        assert!(SCANNER.hints.is_some());
        assert!(SCANNER.regexes.iter().all(Option::is_some));
        assert!(PATTERNS.len() <= 32);
    }

    fn taken(text: &str, name: Option<(&str, Naming)>) -> Vec<String> {
        let named = name.and_then(|(name, naming)| Some((promise::of_member(name)?, naming)));
        find(text, named).into_iter().map(|s| text[s.range].to_owned()).collect()
    }

    #[test]
    fn finds_what_looks_like_a_secret() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nnot-a-key\n-----END RSA PRIVATE KEY-----";
        let github = format!("ghp_{}", "0Not1A2Real3Token".repeat(3));
        for (text, name, expected) in [
            (format!("x = `{key}`"), None, key.to_owned()),
            (format!("curl -H {github} x"), None, github.clone()),
            ("select 1; -- password = 'not-a-real-password'".into(), None, "not-a-real-password".into()),
            ("Server=db;Password=not-real-1;Encrypt=yes".into(), None, "not-real-1".into()),
            ("postgres://app:not-real@db.example.com/x".into(), None, "not-real".into()),
            (
                "fetch(u, {headers: {Authorization: 'Bearer not-a-real-token-1'}})".into(),
                None,
                "not-a-real-token-1".into(),
            ),
            (
                "Bearer not-a-real-token".into(),
                Some(("Authorization", Naming::Pair)),
                "not-a-real-token".into(),
            ),
            ("not-a-real-key".into(), Some(("X-Api-Key", Naming::Pair)), "not-a-real-key".into()),
            ("fake".into(), Some(("db_password", Naming::Member)), "fake".into()),
            ("n0t4Re4lK3yAtAll99".into(), Some(("api_key", Naming::Member)), "n0t4Re4lK3yAtAll99".into()),
        ] {
            assert_eq!(taken(&text, name), [expected], "{text}");
        }
    }

    #[test]
    fn leaves_what_is_none() {
        for (text, name) in [
            ("{{secrets.BILLING_TOKEN}}", Some(("Authorization", Naming::Pair))),
            ("Bearer {{components.textinput2.value}}", Some(("Authorization", Naming::Pair))),
            ("cea6a39b-fd2b-4d13-acb2-50dc237d4242", Some(("token", Naming::Member))),
            ("#fff00000", Some(("secret", Naming::Member))),
            ("Enter your password", Some(("password", Naming::Member))),
            ("password", Some(("password", Naming::Member))),
            ("{{true}}", Some(("showPassword", Naming::Member))),
            ("password = values.password", None),
            ("where password = $1 and token = :token", None),
            ("const apiKey = getApiKey('x')", None),
            ("https://example.com:8080/a@b", None),
            ("data:image/png;base64,AKIAAAAAAAAAAAAAAAAAAAAA", None),
            ("Basic authentication is required here", None),
            ("short", Some(("next_page_token", Naming::Member))),
        ] {
            assert_eq!(taken(text, name), Vec::<String>::new(), "{text}");
        }
    }

    fn of_parameter(name: &str, value: &str) -> Vec<String> {
        let found = find(value, Some((promise::of_parameter(name), Naming::Pair)));
        found.into_iter().map(|s| value[s.range].to_owned()).collect()
    }

    #[test]
    fn a_header_or_parameter_that_looks_random_is_suspected_whatever_its_name() {
        for (name, value) in [
            ("x-functions-key", "not-real"),
            ("sig", "not-real"),
            ("X-Hub-Signature", "not-real"),
            ("PHPSESSID", "not-real"),
            ("pass", "fake"),
            ("code", "n0tAr3alC0d3Xq7Zw2LmPk"),
            ("appid", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
            ("x-anything", "n0t-4r3_4lK3y-Q9zX7"),
            ("sv", "n0t%2B4r3alS1gn4tur3Zq9X%3D"),
        ] {
            assert_eq!(of_parameter(name, value), [value], "{name}");
        }
        for (name, value) in [
            ("code", "EUR"),
            ("code", "{{components.code1.value}}"),
            ("key", "{{secrets.KEY}}"),
            ("key", "status"),
            ("order", "65b3f6635ad33e16b574aef3"),
            ("order", "cea6a39b-fd2b-4d13-acb2-50dc237d4242"),
            ("tab", "cea6a39b-fd2b-4d13-acb2-50dc237d4242-0"),
            ("api-version", "2023-10-01-preview"),
            ("since", "2024-01-01T00:00:00.000Z"),
            ("since", "20240101T000000Z"),
            ("Accept", "application/vnd.github.v3+json"),
            ("Accept", "text/html,application/xhtml+xml;q=0.9"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Cache-Control", "max-age=31536000"),
            ("export", "customersV2ExportAll"),
            ("host", "https://a1b2c3d4.example.com/x9y8z7"),
            ("q", "Hello%20World%21%20How%20are%20you2"),
            ("phone", "+491701234567890123"),
            ("algorithm", "AWS4-HMAC-SHA256"),
        ] {
            assert_eq!(of_parameter(name, value), Vec::<String>::new(), "{name}: {value}");
        }
    }

    #[test]
    fn a_urls_parameter_that_looks_random_is_suspected_where_its_name_allows_it() {
        let made = "n0tAr3alC0d3Xq7Zw2LmPk==";
        for (text, found) in [
            (format!("https://f.example.com/api/x?code={made}&x=1"), true),
            (format!("fetch('https://b.example.com/c?sv=2020&sig={made}')"), true),
            (format!("https://b.example.com/c?X-Amz-Signature={made}"), true),
            (format!("https://b.example.com/c?ixid={made}"), false),
            (format!("const code={made}"), false),
            ("https://b.example.com/c?token=cea6a39b-fd2b-4d13-acb2-50dc237d4242".into(), false),
            ("https://b.example.com/c?code={{components.code1.value}}".into(), false),
            ("https://b.example.com/c?sort_key=customers_by_last_name".into(), false),
        ] {
            let expected = if found { vec![made.to_owned()] } else { vec![] };
            assert_eq!(taken(&text, None), expected, "{text}");
        }
    }

    #[test]
    fn long_hostile_text_takes_linear_time() {
        let text = "password='".repeat(200_000) + &"eyJ".repeat(200_000) + &"a://:".repeat(200_000);
        assert!(find(&text, None).len() <= MOST_IN_ONE_TEXT);
    }
}
