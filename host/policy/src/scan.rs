//! Finding what looks like data of people in what a bundle carries.
//!
//! Two sorts of patterns: those with a check digit, which are found anywhere, and those that are
//! told by a name close by (a member's name, or words just before), because a bare number of nine
//! digits says nothing. What is found is masked at once; the value leaves this module nowhere.
//!
//! Work is linear in the size of the content: each candidate is read to a fixed length only.

use serde_json::Value;
use sluice_model::{Object, Pointer, content};

use crate::facts::PersonalDatum;

/// Version of the patterns. Finds are cached by (object digest, this); it changes with any of them.
pub const SCANNER_VERSION: &str = "2";

/// Finds that are told of one object one by one: a person reads them. Where there are more, one at the
/// object's root says so, since a gate may allow the places of all that are told.
const MOST_FINDS: usize = 1_000;

/// Bytes before a candidate in which a telling name counts.
const NEAR: usize = 40;

/// Finds what looks like data of people in an object's content.
#[must_use]
pub fn personal_data(object: &Object) -> Vec<PersonalDatum> {
    let mut found = Vec::new();
    content::visit(&object.content, &mut |at, value| {
        let name = at.tokens().iter().rev().find(|token| !token.bytes().all(|b| b.is_ascii_digit()));
        let name = name.map_or("", String::as_str);
        match value {
            Value::String(text) => texts(text, name, at, object, &mut found),
            Value::Number(number) => texts(&number.to_string(), name, at, object, &mut found),
            Value::Object(members) => {
                for key in members.keys() {
                    texts(key, "", &at.child(key), object, &mut found);
                }
            }
            _ => {}
        }
        found.len() <= MOST_FINDS
    });
    if found.len() > MOST_FINDS {
        found.truncate(MOST_FINDS);
        found.push(PersonalDatum {
            object: object.id.clone(),
            at: Pointer::root(),
            pattern: format!("more than {MOST_FINDS} finds"),
            sample: "…".to_owned(),
        });
    }
    found
}

fn texts(text: &str, name: &str, at: &Pointer, object: &Object, found: &mut Vec<PersonalDatum>) {
    for (pattern, sample) in finds(text, name) {
        found.push(PersonalDatum {
            object: object.id.clone(),
            at: at.clone(),
            pattern: pattern.to_owned(),
            sample,
        });
    }
}

/// The patterns that a text meets, with the masked finds.
fn finds(text: &str, name: &str) -> Vec<(&'static str, String)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let mut after_word = false;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'@' {
            if let Some(address) = mail_address(text, at) {
                found.push(("e-mail", masked(address)));
            }
            (at, after_word) = (at + 1, false);
            continue;
        }
        let begins = (byte.is_ascii_alphanumeric() || byte == b'+') && !after_word;
        after_word = byte.is_ascii_alphanumeric() || byte >= 0x80 || byte == b'_';
        if !begins {
            at += 1;
            continue;
        }
        let run = Run::at(bytes, at);
        match run.meets(&Near { text, at, name }) {
            Some((pattern, length)) => {
                found.push((pattern, masked(text.get(at..at + length).unwrap_or(""))));
                (at, after_word) = (at + length, true);
            }
            None => at += 1,
        }
    }
    found
}

/// Letters and digits from a place on, with single separators between them left out.
struct Run {
    /// Upper-case letters and digits, the first `count` of them.
    signs: [u8; MOST_SIGNS],
    count: usize,
    /// Per sign, the bytes up to and with it if the text's word ends there, else 0.
    ends: [usize; MOST_SIGNS],
    has_plus: bool,
}

/// Letters and digits that are read of a candidate: as many as the longest IBAN has.
const MOST_SIGNS: usize = 34;

impl Run {
    fn at(bytes: &[u8], at: usize) -> Self {
        let has_plus = bytes.get(at) == Some(&b'+');
        let mut run = Self { signs: [0; MOST_SIGNS], count: 0, ends: [0; MOST_SIGNS], has_plus };
        let mut place = at + usize::from(run.has_plus);
        let is_separator = |byte: u8| matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')');
        let mut separators = 0;
        while let Some(&byte) = bytes.get(place) {
            if byte.is_ascii_alphanumeric() {
                let (Some(sign), Some(end)) = (run.signs.get_mut(run.count), run.ends.get_mut(run.count))
                else {
                    break;
                };
                *sign = byte.to_ascii_uppercase();
                let goes_on = |next: &u8| next.is_ascii_alphanumeric() || *next == b'_' || *next >= 0x80;
                *end = if bytes.get(place + 1).is_some_and(goes_on) { 0 } else { place + 1 - at };
                run.count += 1;
                separators = 0;
            } else if is_separator(byte) && separators < 2 {
                separators += 1;
            } else {
                break;
            }
            place += 1;
        }
        run
    }

    fn leading_digits(&self) -> usize {
        self.signs.iter().take_while(|sign| sign.is_ascii_digit()).count()
    }

    /// The bytes of the first `count` signs, if a word ends there.
    fn closing(&self, count: usize) -> Option<usize> {
        self.ends.get(count.checked_sub(1)?).copied().filter(|end| *end > 0)
    }

    fn meets(&self, near: &Near<'_>) -> Option<(&'static str, usize)> {
        self.iban().or_else(|| {
            // Numbers may follow one another, so each place where a word ends may end one.
            let ends = (7..=self.leading_digits().min(19))
                .rev()
                .filter_map(|count| Some((count, self.closing(count)?)));
            let numbers = || ends.clone().filter_map(|(count, end)| Some((self.signs.get(..count)?, end)));
            numbers()
                .find_map(|(digits, end)| card(digits).then_some(("payment-card", end)))
                .or_else(|| {
                    numbers().find_map(|(digits, end)| national_number(digits, near).map(|name| (name, end)))
                })
                .or_else(|| self.lettered_id(near))
                .or_else(|| {
                    numbers().find_map(|(digits, end)| self.phone(digits, near).then_some(("phone", end)))
                })
        })
    }

    /// ISO 13616, with the country's length and the check digits by ISO 7064 mod 97-10.
    fn iban(&self) -> Option<(&'static str, usize)> {
        let [a, b, c, d, ..] = self.signs;
        if !(a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit()) {
            return None;
        }
        let country = [a, b];
        let length =
            IBAN_LENGTHS.iter().find(|(code, _)| code.as_bytes() == country).map(|(_, length)| *length)?;
        let end = self.closing(length)?;
        let (head, rest) = self.signs.get(..length)?.split_at_checked(4)?;
        let remainder = rest.iter().chain(head).fold(0u32, |sum, sign| match sign {
            b'0'..=b'9' => (sum * 10 + u32::from(sign - b'0')) % 97,
            _ => (sum * 100 + u32::from(sign - b'A') + 10) % 97,
        });
        (remainder == 1).then_some(("iban", end))
    }

    /// Ids with letters in them.
    fn lettered_id(&self, near: &Near<'_>) -> Option<(&'static str, usize)> {
        let end = self.closing(9)?;
        let signs = self.signs.get(..9)?;
        if near.has(&["dni", "nif"]) && self.leading_digits() == 8 {
            // Spanish identity number: the letter is the number mod 23.
            let value = signs.iter().take(8).fold(0usize, |sum, digit| sum * 10 + usize::from(digit - b'0'));
            return (signs.last() == b"TRWAGMYFPDXBNJZSQVHLCKE".get(value % 23)).then_some(("es-dni", end));
        }
        if near.has(&["nino", "national insurance", "nationalinsurance"]) {
            let is_nino = signs.iter().enumerate().all(|(at, sign)| match at {
                0 | 1 => sign.is_ascii_uppercase(),
                8 => (b'A'..=b'D').contains(sign),
                _ => sign.is_ascii_digit(),
            });
            return is_nino.then_some(("gb-nino", end));
        }
        None
    }

    /// E.164 allows 15 digits; fewer than 7 are no subscriber's.
    fn phone(&self, digits: &[u8], near: &Near<'_>) -> bool {
        let fits =
            (7..=15).contains(&digits.len()) && digits.iter().any(|digit| Some(digit) != digits.first());
        let told =
            self.has_plus || digits.starts_with(b"0") || near.is_name(&["phone", "mobile", "telefon", "fax"]);
        fits && told && near.has(&["phone", "mobile", "telefon", "tel:", "fax", "cell"])
    }
}

/// Payment cards: the issuers' prefixes and lengths (ISO/IEC 7812), and the Luhn check.
fn card(digits: &[u8]) -> bool {
    let prefix =
        |count: usize| digits.iter().take(count).fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let is_issued = match digits.len() {
        13 | 19 => prefix(1) == 4,
        14 => matches!(prefix(2), 36 | 38 | 39) || matches!(prefix(3), 300..=305),
        15 => matches!(prefix(2), 34 | 37),
        16 => {
            prefix(1) == 4
                || matches!(prefix(2), 51..=55 | 62 | 65)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589 | 6011)
                || matches!(prefix(3), 644..=649)
        }
        _ => false,
    };
    is_issued && luhn(digits)
}

/// Ids of digits alone.
fn national_number(digits: &[u8], near: &Near<'_>) -> Option<&'static str> {
    let number = |at: usize| digits.get(at).map_or(0, |digit| u32::from(digit - b'0'));
    match digits.len() {
        // Swiss AHV number: EAN-13 check digit, always begins with 756.
        13 if digits.starts_with(b"756") => {
            let sum: u32 = (0..12).map(|at| number(at) * if at % 2 == 0 { 1 } else { 3 }).sum();
            ((10 - sum % 10) % 10 == number(12)).then_some("ch-ahv")
        }
        // German tax identification number: ISO 7064 mod 11,10.
        11 if near.has(&["steuer", "tax"]) && number(0) != 0 => {
            let product = (0..10).fold(10u32, |product, at| {
                let sum = (number(at) + product) % 10;
                (if sum == 0 { 10 } else { sum }) * 2 % 11
            });
            let check = if product == 1 { 0 } else { 11 - product };
            (check == number(10)).then_some("de-tax-id")
        }
        // Dutch citizen number: the eleven test, in which the last digit counts negative.
        9 if near.has(&["bsn", "burgerservice", "sofi"]) => {
            let sum: u32 = (0u32..8).zip(digits).map(|(at, digit)| (9 - at) * u32::from(digit - b'0')).sum();
            (sum != 0 && sum % 11 == number(8) % 11).then_some("nl-bsn")
        }
        9 if near.has(&["ssn", "social"]) => {
            let area = number(0) * 100 + number(1) * 10 + number(2);
            let group = number(3) * 10 + number(4);
            let is_issued =
                !matches!(area, 0 | 666 | 900..) && group != 0 && (5..9).any(|at| number(at) != 0);
            is_issued.then_some("us-ssn")
        }
        _ => None,
    }
}

/// What stands around a candidate.
struct Near<'t> {
    text: &'t str,
    at: usize,
    name: &'t str,
}

impl Near<'_> {
    /// Whether the member's name has one of the words.
    fn is_name(&self, words: &[&str]) -> bool {
        let name = self.name.get(..NEAR).unwrap_or(self.name).to_ascii_lowercase();
        words.iter().any(|word| name.contains(word))
    }

    /// Whether the member's name, or the text just before, has one of the words.
    fn has(&self, words: &[&str]) -> bool {
        let mut from = self.at.saturating_sub(NEAR);
        while !self.text.is_char_boundary(from) {
            from += 1;
        }
        let before = self.text.get(from..self.at).unwrap_or("").to_ascii_lowercase();
        self.is_name(words) || words.iter().any(|word| before.contains(word))
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit - b'0') * if at % 2 == 1 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Domains that stand for nobody (RFC 2606), and endings that are files.
const NO_DOMAINS: [&str; 16] = [
    "example.com",
    "example.org",
    "example.net",
    ".example",
    ".test",
    ".invalid",
    ".localhost",
    ".local",
    ".png",
    ".jpg",
    ".jpeg",
    ".svg",
    ".gif",
    ".webp",
    ".css",
    ".js",
];

/// The address around an `@` (RFC 5321: 64 bytes of local part, 255 of domain), unless it is a
/// URL's user information or stands for nobody.
fn mail_address(text: &str, at: usize) -> Option<&str> {
    let bytes = text.as_bytes();
    let is_local =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'%');
    let is_domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let local = bytes.get(..at)?.iter().rev().take(64).take_while(|byte| is_local(byte)).count();
    let domain = bytes.get(at + 1..)?.iter().take(255).take_while(|byte| is_domain(byte)).count();
    let from = at - local;
    if local == 0
        || from
            .checked_sub(1)
            .and_then(|before| bytes.get(before))
            .is_some_and(|byte| matches!(byte, b'/' | b':'))
    {
        return None;
    }
    let name = text.get(at + 1..at + 1 + domain)?.trim_end_matches(['.', '-']);
    let (host, top) = name.rsplit_once('.')?;
    let is_name = !host.is_empty() && top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
    let lower = name.to_ascii_lowercase();
    let stands_for_nobody = NO_DOMAINS.iter().any(|domain| lower.ends_with(domain));
    (is_name && !stands_for_nobody).then(|| text.get(from..at + 1 + name.len()))?
}

/// A find with all but its ends masked.
fn masked(find: &str) -> String {
    let count = find.chars().count();
    let kept = if count >= 8 { 2 } else { 1 };
    let head: String = find.chars().take(kept).collect();
    let tail: String = find.chars().skip(count.saturating_sub(kept)).collect();
    format!("{head}…{tail}")
}

/// Lengths by country, from the IBAN registry of SWIFT.
const IBAN_LENGTHS: [(&str, usize); 46] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IS", 26),
    ("IT", 27),
    ("KW", 30),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("SA", 24),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("TR", 26),
    ("UA", 29),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use sluice_model::{LogicalId, ObjectKind};

    use super::*;

    fn object(content: Value) -> Object {
        Object {
            id: LogicalId::new("query-1").unwrap(),
            unit: None,
            kind: ObjectKind::Query,
            source_kind: None,
            name: "q".to_owned(),
            content,
            references: vec![],
        }
    }

    fn found(name: &str, text: &str) -> Vec<&'static str> {
        finds(text, name).into_iter().map(|(pattern, _)| pattern).collect()
    }

    /// Published test numbers, and the same with a digit changed.
    #[test]
    fn patterns_find_their_own_and_nothing_near_it() {
        for (name, text, expected) in [
            ("", "pay 4111 1111 1111 1111 now", &["payment-card"][..]),
            ("", "4111111111111112", &[]),
            ("", "378282246310005", &["payment-card"]),
            ("", "5555-5555-5555-4444", &["payment-card"]),
            ("", "1700000000000", &[]),
            ("", "x4111111111111111", &[]),
            ("", "4111111111111111x", &[]),
            ("", "DE89 3704 0044 0532 0130 00", &["iban"]),
            ("", "iban: GB82WEST12345698765432.", &["iban"]),
            ("", "DE89370400440532013001", &[]),
            ("", "DE8937040044053201300", &[]),
            ("", "XX89370400440532013000", &[]),
            ("", "write to ann.smith+x@acme-corp.de, please", &["e-mail"]),
            ("", "ann@example.com bob@host.test c@localhost", &[]),
            ("", "logo@2x.png @media foo@ @tooljet/x https://u:p@db.acme.de", &[]),
            ("phone", "+49 30 1234567", &["phone"]),
            ("customer_phone", "030 1234567", &["phone"]),
            ("", "call her phone: +1 (415) 555-2671", &["phone"]),
            ("total", "+49 30 1234567", &[]),
            ("phone", "0000000000", &[]),
            ("ssn", "078-05-1120", &["us-ssn"]),
            ("ssn", "666-05-1120", &[]),
            ("order", "078-05-1120", &[]),
            ("bsn", "111222333", &["nl-bsn"]),
            ("bsn", "111222334", &[]),
            ("dni", "12345678Z", &["es-dni"]),
            ("dni", "12345678A", &[]),
            ("steuer_id", "86095742719", &["de-tax-id"]),
            ("steuer_id", "86095742718", &[]),
            ("", "756.9217.0769.85", &["ch-ahv"]),
            ("", "756.9217.0769.84", &[]),
            ("nino", "AB 12 34 56 C", &["gb-nino"]),
            ("other", "AB 12 34 56 C", &[]),
            ("", "4111111111111111 und DE89370400440532013000", &["payment-card", "iban"]),
            ("", "größe 4111111111111111", &["payment-card"]),
        ] {
            assert_eq!(found(name, text), expected, "{name}: {text}");
        }
    }

    #[test]
    fn says_where_and_never_the_value() {
        let finds = personal_data(&object(json!({
            "rows": [{"card": "4111111111111111"}, {"n": 4111111111111111u64}],
            "phones": ["+49 30 1234567"],
            "ann@acme.de": 1,
        })));
        let told: Vec<_> = finds.iter().map(|find| (find.at.to_string(), find.pattern.as_str())).collect();
        assert_eq!(
            told,
            [
                ("/ann@acme.de".to_owned(), "e-mail"),
                ("/phones/0".to_owned(), "phone"),
                ("/rows/0/card".to_owned(), "payment-card"),
                ("/rows/1/n".to_owned(), "payment-card"),
            ]
        );
        assert!(
            finds.iter().all(|find| !find.sample.contains("1111") && find.sample.contains('…')),
            "{finds:?}"
        );
    }

    #[test]
    fn is_bounded_in_what_it_tells_and_in_time() {
        let many = "4111111111111111 ".repeat(20_000);
        assert_eq!(personal_data(&object(json!([many]))).len(), MOST_FINDS + 1);
        // Candidates without end: quadratic work over this would take minutes.
        for piece in ["4-", "a@", "DE89", "@", "+", "1 "] {
            let _ = personal_data(&object(json!(piece.repeat(50_000))));
        }
    }

    #[test]
    fn what_was_not_looked_at_is_told_where_only_the_whole_object_can_be_allowed() {
        for (count, is_cut) in [(MOST_FINDS - 1, false), (MOST_FINDS, false), (MOST_FINDS + 1, true)] {
            let samples = "4111111111111111 ".repeat(count - 1);
            let finds = personal_data(&object(json!({"sample": [samples], "then": "ann@acme.de"})));
            let outside = |place: &str| {
                let place: Pointer = place.parse().unwrap();
                finds
                    .iter()
                    .filter(|find| !find.at.is_within(&place))
                    .map(|find| &*find.pattern)
                    .collect::<Vec<_>>()
            };
            let expected = if is_cut { "more than 1000 finds" } else { "e-mail" };
            assert_eq!(outside("/sample"), [expected], "{count}");
            assert!(outside("").is_empty(), "{count}");
            assert_eq!(finds.len(), count, "{count}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_scanned(text in ".{0,80}", name in "[a-z]{0,8}") {
            let _ = finds(&text, &name);
        }

        /// A number that passes Luhn is found wherever it stands between other words.
        #[test]
        fn a_card_is_found_among_words(stem in "4[0-9]{14}", before in "[a-z ]{0,20} ", after in " [a-z ]{0,20}") {
            let card = (0..10).map(|digit| format!("{stem}{digit}")).find(|card| luhn(card.as_bytes())).unwrap();
            let text = format!("{before}{card}{after}");
            prop_assert!(found("", &text).contains(&"payment-card"), "{}", text);
        }
    }
}
