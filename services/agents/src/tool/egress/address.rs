//! Which addresses belong to the public internet.
//!
//! After IANA's registries of special-purpose addresses, as of November 2026, and stricter: of IPv6 only what is handed out as
//! global unicast, and nothing that carries an IPv4 address inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

const CLOSED_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),        // this network
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // behind a carrier's translation; a cloud's metadata at 100.100.100.200
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // a cloud's metadata at a public address
    v4(169, 254, 0, 0, 16),   // link-local, metadata
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments; a cloud's metadata at 192.0.0.192
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 31, 196, 0, 24),  // AS112
    v4(192, 52, 193, 0, 24),  // AMT
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(192, 175, 48, 0, 24),  // AS112
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, broadcast
];

/// All that is global unicast.
const OPEN_V6: Ipv6Net = v6(0x2000, 0, 3);

const CLOSED_V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 23),     // protocol assignments: Teredo, benchmarks, ORCHID
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x2002, 0, 16),     // 6to4
    v6(0x2620, 0x4f, 32),  // AS112, and a little around it
    v6(0x3fff, 0, 20),     // documentation
];

/// Whether it is on the public internet, or in one of the networks that were opened.
pub(super) fn is_open(address: IpAddr, allowed: &[IpNet]) -> bool {
    // An IPv4 address in the dress of an IPv6 one is the same place.
    let inner = address.to_canonical();
    if allowed.iter().any(|network| network.contains(&address) || network.contains(&inner)) {
        return true;
    }
    match address {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            OPEN_V6.contains(&address)
                && !CLOSED_V6.iter().any(|network| network.contains(&address))
                && !isatap(address)
        }
    }
}

/// Whether the lower half names an IPv4 address behind an ISATAP tunnel.
fn isatap(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    segments[4] & 0xfdff == 0 && segments[5] == 0x5efe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(address: &str) -> bool {
        is_open(address.parse().expect("address"), &[])
    }

    #[test]
    fn the_public_internet_is_open() {
        let places = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "198.20.0.1"];
        for address in
            places.into_iter().chain(["223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2001:4860::8888"])
        {
            assert!(open(address), "{address}");
        }
    }

    #[test]
    fn s11_special_addresses_are_closed() {
        let v4 = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ];
        let v6 = [
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2606:4700::5efe:7f00:1",
            "2606:4700::200:5efe:a00:1",
        ];
        for address in v4.into_iter().chain(v6) {
            assert!(!open(address), "{address}");
        }
    }

    #[test]
    fn an_opened_network_is_open_in_each_dress() {
        let allowed = ["127.0.0.1/32".parse().expect("network"), "fd00::/8".parse().expect("network")];
        let open = |address: &str| is_open(address.parse().expect("address"), &allowed);
        assert!(open("127.0.0.1") && open("::ffff:127.0.0.1") && open("fd12::1"));
        assert!(!open("127.0.0.2") && !open("::1") && !open("fc00::1") && !open("2002:7f00:1::"));
    }
}
