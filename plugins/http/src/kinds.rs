//! The options of HTTP interfaces, platform by platform.
//!
//! ToolJet: its manifests of `restapi`, `graphql`, `grpc` and `openapi`, 2.x and 3.x. Lowcoder: its
//! forms and connection configuration; it encrypts `authConfig` and `sslConfig` only. Appsmith: its
//! form. Headers belong to the environment as a whole; of their values those are taken out whose
//! name or scheme says secret.

use sluice_guest::OptionType::{Flag, Json, ListOfPairs, Text, Url};
use sluice_guest::connection::{Account, Admission, Connection, Endpoint, to};
use sluice_guest::groups::appsmith::{self, appsmith};
use sluice_guest::groups::certificates::{CHECKED, FILES};
use sluice_guest::groups::oauth::{OAUTH, OAUTH_LISTS};
use sluice_guest::sign_in::{Answer, At, List, Shows, SignIn};
use sluice_guest::spec::{
    Is, KindSpec, OptionSpec, Platform, SlotSpec, choice, fixed, header_secrets, is, kind, owned, place,
    secret, url_secret,
};

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        options: &[URL, AUTH, OAUTH, REST],
        slots: &[URL_SECRET, AUTH_SECRETS, FILES, LISTS, OAUTH_LISTS],
        connections: REQUESTS,
        sign_in: &[BASIC, BEARER, AS_IT_IS],
        ..tooljet("restapi")
    },
    KindSpec {
        options: &[URL, AUTH, OAUTH],
        slots: &[URL_SECRET, AUTH_SECRETS, FILES, LISTS, OAUTH_LISTS],
        connections: REQUESTS,
        sign_in: &[graphql(BASIC), graphql(BEARER), graphql(AS_IT_IS)],
        ..tooljet("graphql")
    },
    KindSpec {
        options: &[GRPC, GRPC_AUTH],
        slots: &[URL_SECRET, GRPC_SECRETS],
        connections: GRPC_CALLS,
        ..tooljet("grpc")
    },
    KindSpec {
        options: &[OPENAPI, OAUTH],
        slots: &[OPENAPI_SECRETS, OPENAPI_LISTS, OAUTH_LISTS],
        connections: &[Connection {
            accounts: &[Account::Option("username"), Account::Option("client_id")],
            ..to(&[Endpoint::Host { host: "host", port: "", usual: "" }])
        }],
        sign_in: &[
            SignIn { at: At::Url("host"), lists: OPENAPI_HEADERS, ..BASIC },
            SignIn { at: At::Url("host"), lists: OPENAPI_HEADERS, ..BEARER },
        ],
        ..tooljet("openapi")
    },
    KindSpec { sign_in: &[LOWCODER_BASIC, LOWCODER_AS_IT_IS], ..lowcoder("restApi") },
    KindSpec { sign_in: &[graphql(LOWCODER_BASIC), graphql(LOWCODER_AS_IT_IS)], ..lowcoder("graphql") },
    KindSpec {
        options: &[APPSMITH, appsmith::SSL, appsmith::COMMON],
        slots: &[URL_SECRET, APPSMITH_SECRETS, APPSMITH_LISTS, appsmith::FILES],
        connections: &[Connection {
            accounts: &[
                Account::Option("authentication/username"),
                Account::Option("authentication/clientId"),
            ],
            ..to(&[Endpoint::Urls(&[
                "url",
                "authentication/accessTokenUrl",
                "authentication/authorizationUrl",
            ])])
        }],
        sign_in: APPSMITH_WAYS,
        ..appsmith("restapi-plugin")
    },
];

const fn tooljet(name: &'static str) -> KindSpec {
    kind(Platform::ToolJet, name)
}

const fn lowcoder(name: &'static str) -> KindSpec {
    KindSpec {
        options: &[LOWCODER],
        slots: &[URL_SECRET, LOWCODER_SECRETS, LOWCODER_LISTS],
        connections: LOWCODER_REQUESTS,
        ..kind(Platform::Lowcoder, name)
    }
}

const URL: &[OptionSpec] = &[
    // Every app of ToolJet has a static source without any option, whose queries name whole URLs.
    place("url", Url, "The address that queries are relative to").like_bundle(),
    owned("headers", ListOfPairs, "Headers of every request"),
    owned("url_params", ListOfPairs, "Query parameters of every request"),
    owned("url_parameters", ListOfPairs, "Query parameters of every request"),
    owned("body", ListOfPairs, "Members of every request's body"),
    owned("cookies", ListOfPairs, "Cookies of every request"),
];

const AUTH: &[OptionSpec] = &[
    choice("auth_type", &["none", "basic", "bearer", "oauth2", "aws_v4"], "How requests are authenticated")
        .per_environment(),
    owned("username", Text, "The account of basic authentication"),
];

const REST: &[OptionSpec] =
    &[CHECKED, fixed("retry_network_errors", Flag, "Whether a request is repeated when the network fails")];

const URL_SECRET: &[SlotSpec] = &[url_secret("url-password", "url", "The password in the address")];

const AUTH_SECRETS: &[SlotSpec] = &[
    secret("password", "password", "The password of basic authentication")
        .needed_when("auth_type", &["basic"]),
    secret("bearer-token", "bearer_token", "The token of bearer authentication")
        .needed_when("auth_type", &["bearer"]),
    secret("client-secret", "client_secret", "The client's secret of OAuth 2.0")
        .needed_when("auth_type", &["oauth2"]),
];

const LISTS: &[SlotSpec] = &[
    header_secrets("headers", "headers", "A secret among the headers"),
    header_secrets("url_params", "url_params", "A secret among the query parameters"),
    header_secrets("url_parameters", "url_parameters", "A secret among the query parameters"),
    header_secrets("body", "body", "A secret among the body's members"),
    header_secrets("cookies", "cookies", "A secret among the cookies"),
];

/// What shows who asks where the authentication says nothing.
const IN_REQUESTS: Admission =
    Admission::By(&["url", "headers", "url_params", "url_parameters", "body", "cookies"]);

const REQUESTS: &[Connection] = &[
    Connection { when: Some(is("auth_type", &["none"])), admission: IN_REQUESTS, accounts: &[], ..REQUEST },
    Connection {
        when: Some(is("auth_type", &["basic", "bearer", "oauth2", "aws_v4"])),
        admission: Admission::Credential,
        ..REQUEST
    },
    REQUEST,
];

const REQUEST: Connection = Connection {
    accounts: &[Account::Option("username"), Account::Option("client_id")],
    ..to(&[Endpoint::Urls(&["url", "access_token_url", "auth_url"])])
};

/// A request of the address itself, with what goes into every request. There is no path that is there
/// to be asked, so that what answers everybody tells nothing. GraphQL is asked for the name of its
/// root type, which every schema has.
const REQUEST_ITSELF: SignIn = SignIn {
    when: &[],
    at: At::Url("url"),
    body: None,
    headers: &[],
    shows: &[],
    lists: &[
        List::Headers("headers"),
        List::Query("url_params"),
        List::Query("url_parameters"),
        List::Unsent("body"),
        List::Unsent("cookies"),
    ],
    answer: Answer::UnlessOpen,
    source: "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2",
};

const fn graphql(way: SignIn) -> SignIn {
    let source = "https://spec.graphql.org/October2021/#sec-Type-Name-Introspection";
    SignIn { body: Some(r#"{"query":"{__typename}"}"#), source, ..way }
}

const BASIC: SignIn = SignIn {
    when: &[is("auth_type", &["basic"]), WITHOUT_CERTIFICATE],
    shows: &[Shows::Basic { user: "username", slot: "password" }],
    ..REQUEST_ITSELF
};

const BEARER: SignIn = SignIn {
    when: &[is("auth_type", &["bearer"]), WITHOUT_CERTIFICATE],
    shows: &[Shows::Bearer("bearer-token")],
    ..REQUEST_ITSELF
};

/// Where the secrets are in the address or the lists.
const AS_IT_IS: SignIn =
    SignIn { when: &[is("auth_type", &["", "none"]), WITHOUT_CERTIFICATE], ..REQUEST_ITSELF };

/// The certificate and its key are two secrets here, and the host places one.
const WITHOUT_CERTIFICATE: Is = is("ssl_certificate", &["", "none", "ca_certificate", "self_signed"]);

const GRPC: &[OptionSpec] = &[
    place("url", Text, "The server's address").like_bundle(),
    fixed("protobuf", Text, "The interface's definition"),
];

const GRPC_AUTH: &[OptionSpec] = &[
    choice("auth_type", &["none", "basic", "bearer", "api_key"], "How calls are authenticated")
        .per_environment(),
    owned("username", Text, "The account of basic authentication"),
    owned("grpc_apikey_key", Text, "The name of the metadata that holds the key"),
];

const GRPC_SECRETS: &[SlotSpec] = &[
    secret("password", "password", "The password of basic authentication")
        .needed_when("auth_type", &["basic"]),
    secret("bearer-token", "bearer_token", "The token of bearer authentication")
        .needed_when("auth_type", &["bearer"]),
    secret("grpc-apikey-value", "grpc_apikey_value", "The key").needed_when("auth_type", &["api_key"]),
];

const GRPC_CALLS: &[Connection] = &[
    Connection { when: Some(is("auth_type", &["none"])), admission: Admission::By(&["url"]), ..GRPC_CALL },
    Connection {
        when: Some(is("auth_type", &["basic", "bearer", "api_key"])),
        admission: Admission::Credential,
        accounts: &[Account::Option("username")],
        ..GRPC_CALL
    },
    GRPC_CALL,
];

const GRPC_CALL: Connection = to(&[Endpoint::Host { host: "url", port: "", usual: "" }]);

const OPENAPI: &[OptionSpec] = &[
    place("host", Text, "The server's address").like_bundle(),
    fixed("format", Text, "Whether the definition is JSON or YAML"),
    fixed("definition", Text, "The interface's definition, as it was given"),
    fixed("spec", Json, "The interface's definition, as it was understood"),
    owned("auth_type", Text, "How requests are authenticated"),
    owned("auth_key", Text, "Which of the definition's ways to authenticate is used"),
    owned("username", Text, "The account of basic authentication"),
    owned("api_keys", Json, "The keys that the definition asks for"),
    owned("headers", ListOfPairs, "Headers of every request"),
];

const OPENAPI_SECRETS: &[SlotSpec] = &[
    secret("password", "password", "The password of basic authentication"),
    secret("bearer-token", "bearer_token", "The token of bearer authentication"),
    secret("client-secret", "client_secret", "The client's secret of OAuth 2.0"),
];

const OPENAPI_LISTS: &[SlotSpec] = &[
    header_secrets("headers", "headers", "A secret among the headers"),
    url_secret("host-password", "host", "The password in the address"),
];

const OPENAPI_HEADERS: &[List] = &[List::Headers("headers")];

const LOWCODER: &[OptionSpec] = &[
    place("url", Url, "The address that queries are relative to").like_bundle(),
    owned("headers", ListOfPairs, "Headers of every request"),
    owned("params", ListOfPairs, "Query parameters of every request"),
    owned("body", Text, "The body of every request"),
    owned("bodyFormData", ListOfPairs, "Members of every request's form"),
    fixed("forwardCookies", Json, "The end user's cookies that are passed on"),
    fixed("forwardAllCookies", Flag, "Whether all of the end user's cookies are passed on"),
    choice(
        "authConfig/type",
        &["NO_AUTH", "BASIC_AUTH", "DIGEST_AUTH", "OAUTH2_INHERIT_FROM_LOGIN"],
        "How requests are authenticated",
    ),
    owned("authConfig/username", Text, "The account"),
    owned("authConfig/authId", Text, "The sign-in whose token is passed on"),
    choice(
        "sslConfig/sslCertVerificationType",
        &["VERIFY_CA_CERT", "VERIFY_SELF_SIGNED_CERT", "DISABLED"],
        "Which certificates are checked",
    )
    .per_environment(),
];

const LOWCODER_SECRETS: &[SlotSpec] = &[
    secret("password", "authConfig/password", "The account's password")
        .needed_when("authConfig/type", &["BASIC_AUTH", "DIGEST_AUTH"]),
    secret("self-signed-cert", "sslConfig/selfSignedCert", "The certificate that is trusted"),
];

const LOWCODER_LISTS: &[SlotSpec] = &[
    header_secrets("headers", "headers", "A secret among the headers"),
    header_secrets("params", "params", "A secret among the query parameters"),
    header_secrets("bodyFormData", "bodyFormData", "A secret among the form's members"),
];

const LOWCODER_REQUESTS: &[Connection] = &[
    Connection {
        when: Some(is("authConfig/type", &["NO_AUTH"])),
        admission: Admission::By(&["url", "headers", "params", "body", "bodyFormData", "forwardCookies"]),
        accounts: &[],
        ..LOWCODER_REQUEST
    },
    Connection {
        when: Some(is("authConfig/type", &["BASIC_AUTH", "DIGEST_AUTH", "OAUTH2_INHERIT_FROM_LOGIN"])),
        admission: Admission::Credential,
        ..LOWCODER_REQUEST
    },
    LOWCODER_REQUEST,
];

const LOWCODER_REQUEST: Connection =
    Connection { accounts: &[Account::Option("authConfig/username")], ..to(&[Endpoint::Urls(&["url"])]) };

const LOWCODER_REQUEST_ITSELF: SignIn = SignIn {
    lists: &[List::Headers("headers"), List::Query("params"), List::Unsent("bodyFormData")],
    ..REQUEST_ITSELF
};

const LOWCODER_BASIC: SignIn = SignIn {
    when: &[is("authConfig/type", &["BASIC_AUTH"])],
    shows: &[Shows::Basic { user: "authConfig/username", slot: "password" }],
    ..LOWCODER_REQUEST_ITSELF
};

const LOWCODER_AS_IT_IS: SignIn =
    SignIn { when: &[is("authConfig/type", &["", "NO_AUTH"])], ..LOWCODER_REQUEST_ITSELF };

const APPSMITH: &[OptionSpec] = &[
    place("url", Url, "The address that queries are relative to").like_bundle(),
    owned("headers", Json, "Headers of every request"),
    owned("queryParameters", Json, "Query parameters of every request"),
    owned("authentication/username", Text, "The account of basic authentication"),
    owned("authentication/grantType", Text, "The flow of OAuth 2.0"),
    owned("authentication/clientId", Text, "The client's name at the authorisation server"),
    owned("authentication/accessTokenUrl", Url, "Where tokens come from"),
    owned("authentication/authorizationUrl", Url, "Where a person consents"),
    owned("authentication/audience", Text, "Whom the token is for"),
    owned("authentication/resource", Text, "What the token is for"),
    owned("authentication/scopeString", Text, "What the token allows"),
    owned("authentication/headerPrefix", Text, "What stands before the token in the header"),
    owned("authentication/isTokenHeader", Flag, "Whether the token goes into a header"),
    owned("authentication/addTo", Text, "Where the key goes"),
    owned("authentication/label", Text, "What the key is called"),
];

const APPSMITH_REQUEST_ITSELF: SignIn =
    SignIn { lists: &[List::Headers("headers"), List::Query("queryParameters")], ..REQUEST_ITSELF };

const APPSMITH_TYPE: &str = "authentication/authenticationType";

const APPSMITH_WAYS: &[SignIn] = &[
    SignIn {
        when: &[is(APPSMITH_TYPE, &["basic"])],
        shows: &[Shows::Basic { user: "authentication/username", slot: "password" }],
        ..APPSMITH_REQUEST_ITSELF
    },
    SignIn {
        when: &[is(APPSMITH_TYPE, &["bearerToken"])],
        shows: &[Shows::Bearer("bearer-token")],
        ..APPSMITH_REQUEST_ITSELF
    },
    SignIn {
        when: &[
            is(APPSMITH_TYPE, &["apiKey"]),
            is("authentication/addTo", &["header"]),
            is("authentication/headerPrefix", &[""]),
        ],
        shows: &[Shows::Header { name: "authentication/label", slot: "api-key" }],
        ..APPSMITH_REQUEST_ITSELF
    },
    SignIn {
        when: &[is(APPSMITH_TYPE, &["apiKey"]), is("authentication/addTo", &["queryParams"])],
        shows: &[Shows::Query { name: "authentication/label", slot: "api-key" }],
        ..APPSMITH_REQUEST_ITSELF
    },
    SignIn { when: &[is(APPSMITH_TYPE, &[""])], ..APPSMITH_REQUEST_ITSELF },
];

const APPSMITH_SECRETS: &[SlotSpec] = &[
    secret("password", "authentication/password", "The password of basic authentication"),
    secret("client-secret", "authentication/clientSecret", "The client's secret of OAuth 2.0"),
    secret("bearer-token", "authentication/bearerToken", "The token of bearer authentication"),
    secret("api-key", "authentication/value", "The key"),
    secret("access-token", "authentication/token", "The token of the person who consented"),
    secret("signature-key", "properties/1/value", "What requests are signed with for the session"),
];

const APPSMITH_LISTS: &[SlotSpec] = &[
    header_secrets("headers", "headers", "A secret among the headers"),
    header_secrets("queryParameters", "queryParameters", "A secret among the query parameters"),
];
