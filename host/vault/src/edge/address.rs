//! Which addresses belong to whom: the public, somebody's own network, or nobody.
//!
//! After IANA's registries of special-purpose addresses (RFC 6890, as of today's entries) and what the clouds document of
//! their metadata services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Who is behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anybody on the internet.
    Public,
    /// A private network, this machine, or a range with a special purpose: only where its range is granted.
    Private,
    /// A place from which machines get their own credentials: only where this very address is granted, so that no
    /// wide range opens it by accident.
    Guarded,
    /// No host, or a way around the other answers: not even where it is granted.
    Nobody,
}

const fn four(address: [u8; 4], length: u8) -> Ipv4Net {
    let [a, b, c, d] = address;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn six(address: [u16; 8], length: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = address;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length)
}

/// The first range that holds an address counts.
const FOUR: [(Ipv4Net, Reach); 18] = [
    // "This network", multicast, and reserved with broadcast.
    (four([0, 0, 0, 0], 8), Reach::Nobody),
    (four([224, 0, 0, 0], 4), Reach::Nobody),
    (four([240, 0, 0, 0], 4), Reach::Nobody),
    // Link-local: metadata of nearly all clouds (169.254.169.254), and credentials of containers (169.254.170.*).
    (four([169, 254, 0, 0], 16), Reach::Guarded),
    // Metadata of Alibaba and Oracle, and Azure's, which looks public.
    (four([100, 100, 100, 200], 32), Reach::Guarded),
    (four([192, 0, 0, 192], 32), Reach::Guarded),
    (four([168, 63, 129, 16], 32), Reach::Guarded),
    (four([127, 0, 0, 0], 8), Reach::Private),
    (four([10, 0, 0, 0], 8), Reach::Private),
    (four([172, 16, 0, 0], 12), Reach::Private),
    (four([192, 168, 0, 0], 16), Reach::Private),
    // Carrier-grade NAT.
    (four([100, 64, 0, 0], 10), Reach::Private),
    // IETF protocols, documentation, 6to4 relays, benchmarks.
    (four([192, 0, 0, 0], 24), Reach::Private),
    (four([192, 0, 2, 0], 24), Reach::Private),
    (four([198, 51, 100, 0], 24), Reach::Private),
    (four([203, 0, 113, 0], 24), Reach::Private),
    (four([192, 88, 99, 0], 24), Reach::Private),
    (four([198, 18, 0, 0], 15), Reach::Private),
];

/// The first range that holds an address counts; one in none of them is private: so far only 2000::/3 is given out.
const SIX: [(Ipv6Net, Reach); 12] = [
    (six([0, 0, 0, 0, 0, 0, 0, 1], 128), Reach::Private),
    // Unspecified, and IPv4 within IPv6 in forms that are out of use: IPv4-compatible, IPv4-translated, Teredo, 6to4.
    (six([0, 0, 0, 0, 0, 0, 0, 0], 96), Reach::Nobody),
    (six([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), Reach::Nobody),
    (six([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), Reach::Nobody),
    (six([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), Reach::Nobody),
    (six([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), Reach::Nobody),
    // Metadata of Amazon and Google.
    (six([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32), Reach::Guarded),
    (six([0xfd20, 0xce, 0, 0, 0, 0, 0, 0], 32), Reach::Guarded),
    // IETF protocols with benchmarks, and documentation.
    (six([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), Reach::Private),
    (six([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), Reach::Private),
    (six([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), Reach::Private),
    (six([0x2000, 0, 0, 0, 0, 0, 0, 0], 3), Reach::Public),
];

/// IPv4 behind a NAT64 gateway (RFC 6052): what is behind it is judged.
const NAT64: Ipv6Net = six([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// Who is behind an address. IPv4 that is written as IPv6 is IPv4.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let found = FOUR.iter().find(|(range, _)| range.contains(&address));
            found.map_or(Reach::Public, |(_, reach)| *reach)
        }
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            reach(Ipv4Addr::new(a, b, c, d).into())
        }
        IpAddr::V6(address) => {
            let found = SIX.iter().find(|(range, _)| range.contains(&address));
            found.map_or(Reach::Private, |(_, reach)| *reach)
        }
    }
}

/// Whether one of these ranges opens an address that is not public.
pub(super) fn opens(ranges: &[IpNet], address: IpAddr, reach: Reach) -> bool {
    let address = address.to_canonical();
    match reach {
        Reach::Public => false,
        Reach::Private => ranges.iter().any(|range| range.contains(&address)),
        Reach::Guarded => ranges.iter().any(|range| *range == IpNet::from(address)),
        Reach::Nobody => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_range_is_known_from_its_first_address_to_its_last() {
        use Reach::{Guarded, Nobody, Private, Public};
        for (expected, addresses) in [
            (
                Public,
                "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0",
            ),
            (
                Public,
                "169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0",
            ),
            (Public, "198.17.255.255 198.20.0.0 223.255.255.255 168.63.129.15 168.63.129.17"),
            (
                Public,
                "2606:4700:4700::1111 2a00::1 2620:fe::fe 2001:200::1 3ffe::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8",
            ),
            (
                Private,
                "127.0.0.1 127.255.255.255 10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0",
            ),
            (
                Private,
                "192.168.255.255 100.64.0.0 100.127.255.255 192.0.0.0 192.0.0.255 192.0.2.1 198.51.100.1",
            ),
            (Private, "203.0.113.1 192.88.99.1 198.18.0.0 198.19.255.255"),
            (
                Private,
                "::1 fc00::1 fdff::1 fe80::1 febf::1 fec0::1 2001:db8::1 3fff::1 2001:2::1 2001:10::1 100::1",
            ),
            (
                Private,
                "4000::1 5f00::1 64:ff9b:1::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::7f00:1",
            ),
            (
                Guarded,
                "169.254.0.0 169.254.169.254 169.254.170.2 169.254.255.255 100.100.100.200 192.0.0.192",
            ),
            (
                Guarded,
                "168.63.129.16 fd00:ec2::254 fd20:ce::254 ::ffff:169.254.169.254 64:ff9b::169.254.169.254",
            ),
            (Nobody, "0.0.0.0 0.255.255.255 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 ff02::1 ::"),
            (
                Nobody,
                "::10.0.0.1 ::8.8.8.8 ::ffff:0:8.8.8.8 2001::1 2002:7f00:1:: 2002:808:808:: ::ffff:0.0.0.0",
            ),
            (Nobody, "64:ff9b::224.0.0.1 64:ff9b::0.0.0.0"),
        ] {
            for address in addresses.split(' ') {
                assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    #[test]
    fn a_grant_opens_private_ranges_and_of_the_guarded_the_very_address() {
        for (ranges, address, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "64:ff9b::10.1.2.3", false),
            ("64:ff9b::/96", "64:ff9b::10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("127.0.0.1/32", "127.0.0.1", true),
            ("127.0.0.1/32", "127.0.0.2", false),
            ("100.64.0.0/10", "100.64.0.1", true),
            ("100.64.0.0/10", "100.100.100.200", false),
            ("169.254.0.0/16", "169.254.169.254", false),
            ("169.254.169.254/32", "169.254.169.254", true),
            ("169.254.169.254/32", "::ffff:169.254.169.254", true),
            ("fd00::/8", "fd00::1", true),
            ("fd00::/8", "fd00:ec2::254", false),
            ("fd00:ec2::254/128", "fd00:ec2::254", true),
            ("224.0.0.0/4", "224.0.0.1", false),
            ("0.0.0.0/32", "0.0.0.0", false),
            ("2002::/16", "2002:7f00:1::", false),
            ("fc00::/7", "10.0.0.1", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            let ranges: Vec<IpNet> = ranges.split(' ').map(|range| range.parse().unwrap()).collect();
            assert_eq!(opens(&ranges, address, reach(address)), expected, "{ranges:?} {address}");
        }
    }
}
