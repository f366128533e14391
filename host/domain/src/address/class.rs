//! What an address is: its class, and the addresses it carries inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not an ordinary one of the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// 0.0.0.0 and ::, which many systems dial as loopback.
    Unspecified,
    /// 127.0.0.0/8 and ::1.
    Loopback,
    /// RFC 1918 and fc00::/7.
    Private,
    /// 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// 100.64.0.0/10, carrier-grade NAT (RFC 6598).
    Shared,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// Set aside for examples (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// Where clouds hand out credentials to their machines.
    Metadata,
    /// All else that is not global unicast by the IANA special-purpose registries.
    Reserved,
}

impl AddressClass {
    /// The class as one word, for records and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link_local",
            Self::Shared => "shared",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Metadata => "metadata",
            Self::Reserved => "reserved",
        }
    }

    /// The class within a sentence: `a loopback address`.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Unspecified => "the unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "an address of carrier-grade NAT",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "an address for documentation",
            Self::Metadata => "a cloud metadata address",
            Self::Reserved => "a reserved address",
        }
    }
}

/// Metadata services that stand outside of 169.254.0.0/16 or must not be opened along with their network:
/// most clouds, AWS containers (two), Azure, Alibaba, Oracle; then AWS (two), Google and Scaleway over IPv6.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

/// The addresses that `ip` stands for: itself, or what it carries inside.
pub(super) fn meanings(ip: IpAddr) -> [Option<IpAddr>; 2] {
    let IpAddr::V6(v6) = ip else {
        return [Some(ip), None];
    };
    let s = v6.segments();
    let low = v4(s[6], s[7]);
    match s {
        // :: and ::1 mean themselves; the rest of ::/96 is the deprecated IPv4-compatible form (RFC 4291 section 2.5.5.1).
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [Some(ip), None],
        [0, 0, 0, 0, 0, 0, _, _]
        // IPv4-mapped (RFC 4291 section 2.5.5.2) and IPv4-translated (RFC 2765).
        | [0, 0, 0, 0, 0, 0xffff, _, _]
        | [0, 0, 0, 0, 0xffff, 0, _, _]
        // NAT64's well-known prefix (RFC 6052), and the local-use one (RFC 8215) in its /96 form. Other lengths below
        // 64:ff9b:1::/48 can not be told apart by looking, so they stay what they are: reserved.
        | [0x64, 0xff9b, 0, 0, 0, 0, _, _]
        | [0x64, 0xff9b, 1, 0, 0, 0, _, _] => [Some(low), None],
        // 6to4 (RFC 3056).
        [0x2002, high, mid, ..] => [Some(v4(high, mid)), None],
        // Teredo (RFC 4380 section 4): the server as it is, the client with every bit turned over.
        [0x2001, 0, high, mid, ..] => [Some(v4(high, mid)), Some(v4(!s[6], !s[7]))],
        _ => [Some(ip), None],
    }
}

/// The class of an address that carries no other; `None` is global unicast.
pub(super) fn classify(ip: IpAddr) -> Option<AddressClass> {
    match ip {
        IpAddr::V4(ip) => classify_v4(ip),
        IpAddr::V6(ip) => classify_v6(ip),
    }
}

fn classify_v4(ip: Ipv4Addr) -> Option<AddressClass> {
    use AddressClass as C;
    if METADATA_V4.contains(&ip) {
        return Some(C::Metadata);
    }
    match ip.octets() {
        [0, 0, 0, 0] => Some(C::Unspecified),
        [255, 255, 255, 255] => Some(C::Broadcast),
        [127, ..] => Some(C::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(C::Private),
        [169, 254, ..] => Some(C::LinkLocal),
        [100, 64..=127, ..] => Some(C::Shared),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some(C::Documentation),
        [224..=239, ..] => Some(C::Multicast),
        // This network; protocol assignments; the retired 6to4 relays; benchmarking; class E.
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [240..=255, ..] => Some(C::Reserved),
        _ => None,
    }
}

fn classify_v6(ip: Ipv6Addr) -> Option<AddressClass> {
    use AddressClass as C;
    if METADATA_V6.contains(&ip) {
        return Some(C::Metadata);
    }
    if ip.is_unspecified() {
        return Some(C::Unspecified);
    }
    if ip.is_loopback() {
        return Some(C::Loopback);
    }
    match ip.segments() {
        [0xfc00..=0xfdff, ..] => Some(C::Private),
        [0xfe80..=0xfebf, ..] => Some(C::LinkLocal),
        [0xff00..=0xffff, ..] => Some(C::Multicast),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(C::Documentation),
        // IETF protocol assignments (RFC 2928): benchmarking, ORCHID and the like; no receiver lives there.
        [0x2001, 0..=0x1ff, ..] => Some(C::Reserved),
        [0x2000..=0x3fff, ..] => None,
        // Only 2000::/3 is global unicast today: site-local, discard, SRv6 and all that is not handed out.
        _ => Some(C::Reserved),
    }
}

fn v4(high: u16, low: u16) -> IpAddr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}
