"""Plugin for Firebird, as Lowcoder spells it.

Lowcoder's form of the data source: the server, the database's file or alias on it, and the account
with the role that it takes on.
"""

from sluice import Family, Finding, Kind, Traits, fixed, owned, place, required, secret

KINDS = [
    Kind(
        platform="lowcoder",
        name="firebirdsql",
        options=[
            required(place("host", "text", "The server's name or address")),
            place("port", "number", "The server's port"),
            required(place("database", "text", "The database's file on the server, or its alias")),
            required(owned("username", "text", "The account to connect as")),
            owned("role", "text", "The role that the account takes on"),
            fixed("lowercaseKeys", "flag", "Whether columns are named in lower case"),
            fixed("blobAsText", "flag", "Whether blobs of text come as text"),
        ],
        slots=[required(secret("password", "password", "The account's password"))],
    )
]

# The account that every server comes with and the role that may do everything in a database.
ADMINISTRATOR, ADMINISTRATORS_ROLE = "SYSDBA", "RDB$ADMIN"


def traits(options):
    host, account = options.text("host"), options.text("username")
    role = options.text("role") or ""
    return Traits(
        endpoints=[f"{host}:{options.text('port') or 3050}"] if host else [],
        # What a connection is encrypted with is the server's to say; the options do not.
        tls=None,
        account=account,
        privileged=(account or "").upper() == ADMINISTRATOR or role.upper() == ADMINISTRATORS_ROLE,
    )


def notes(options, traits, target):
    if not traits.privileged:
        return []
    message = f"the data source connects to {target} as an administrator"
    fix = "bind an account and a role that may do only what the app needs"
    return [Finding("warning", "account.privileged", message, None, fix)]


FAMILY = Family(KINDS, traits, notes)
