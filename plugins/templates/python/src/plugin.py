"""What the plugin knows of its kind, as a table, and what the table cannot say."""

from sluice import Family, Finding, Kind, Traits, choice, fixed, owned, per_environment, place, required, secret

KINDS = [
    Kind(
        platform="lowcoder",
        name="{{name}}",
        options=[
            required(place("url", "url", "Where the service is")),
            owned("account", "text", "The account to sign in as"),
            per_environment(choice("tls", ["verify", "trust", "off"], "Which certificates are accepted")),
            fixed("pageSize", "number", "How many records a page has"),
        ],
        slots=[required(secret("token", "token", "The account's token"))],
    )
]


def traits(options):
    """What policies want to know of a data source that was made for its environment."""
    url, account = options.text("url"), options.text("account")
    return Traits(
        endpoints=[url] if url else [],
        tls=url.startswith("https://") if url else None,
        account=account,
        privileged=account.lower() == "admin" if account else None,
    )


def notes(options, traits, target):
    """What is odd about it. The table has judged the options by then."""
    if options.text("tls") != "off":
        return []
    message = f"any certificate is accepted in {target}"
    return [Finding("warning", "tls.unverified", message, options.kind.at("tls"), "bind `verify`")]


FAMILY = Family(KINDS, traits, notes)
