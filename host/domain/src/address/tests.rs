use super::*;

fn verdict(policy: &AddressPolicy, ip: &str) -> String {
    let ip = ip.parse().expect("the table holds addresses");
    match policy.judge(ip) {
        Ok(()) => "ok".into(),
        Err(refused) => refused.class.as_str().into(),
    }
}

fn check(allowed: &[&str], table: &[(&str, &str)]) {
    let policy = AddressPolicy::parse(allowed).expect("the table holds networks");
    for (ip, expected) in table {
        assert_eq!(verdict(&policy, ip), *expected, "{ip} with {allowed:?}");
    }
}

#[test]
fn ipv4_by_class() {
    check(
        &[],
        &[
            ("8.8.8.8", "ok"),
            ("1.0.0.0", "ok"),
            ("9.255.255.255", "ok"),
            ("0.0.0.0", "unspecified"),
            ("0.0.0.1", "reserved"),
            ("0.255.255.255", "reserved"),
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("11.0.0.0", "ok"),
            ("100.63.255.255", "ok"),
            ("100.64.0.0", "shared"),
            ("100.100.100.200", "metadata"),
            ("100.127.255.255", "shared"),
            ("100.128.0.0", "ok"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("126.255.255.255", "ok"),
            ("128.0.0.0", "ok"),
            ("168.63.129.16", "metadata"),
            ("168.63.129.17", "ok"),
            ("169.253.255.255", "ok"),
            ("169.254.0.1", "link_local"),
            ("169.254.169.254", "metadata"),
            ("169.254.170.2", "metadata"),
            ("169.255.0.0", "ok"),
            ("172.15.255.255", "ok"),
            ("172.16.0.0", "private"),
            ("172.31.255.255", "private"),
            ("172.32.0.0", "ok"),
            ("192.0.0.1", "reserved"),
            ("192.0.0.192", "metadata"),
            ("192.0.1.0", "ok"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "reserved"),
            ("192.167.255.255", "ok"),
            ("192.168.0.0", "private"),
            ("192.168.255.255", "private"),
            ("192.169.0.0", "ok"),
            ("198.17.255.255", "ok"),
            ("198.18.0.0", "reserved"),
            ("198.19.255.255", "reserved"),
            ("198.20.0.0", "ok"),
            ("198.51.100.7", "documentation"),
            ("203.0.113.7", "documentation"),
            ("223.255.255.255", "ok"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.0", "reserved"),
            ("255.255.255.254", "reserved"),
            ("255.255.255.255", "broadcast"),
        ],
    );
}

#[test]
fn ipv6_by_class() {
    check(
        &[],
        &[
            ("2606:4700:4700::1111", "ok"),
            ("2000::", "ok"),
            ("2001:200::1", "ok"),
            ("3ffe:ffff::1", "ok"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("100::1", "reserved"),
            ("2001:2::1", "reserved"),
            ("2001:20::1", "reserved"),
            ("2001:1ff::1", "reserved"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation"),
            ("3fff:fff::1", "documentation"),
            ("3fff:1000::1", "ok"),
            ("4000::1", "reserved"),
            ("5f00::1", "reserved"),
            ("fbff::1", "reserved"),
            ("fc00::1", "private"),
            ("fd12:3456::1", "private"),
            ("fd00:ec2::254", "metadata"),
            ("fd20:ce::254", "metadata"),
            ("fe00::1", "reserved"),
            ("fe80::1", "link_local"),
            ("febf::1", "link_local"),
            ("fec0::1", "reserved"),
            ("feff::1", "reserved"),
            ("ff02::1", "multicast"),
        ],
    );
}

#[test]
fn carried_addresses_are_judged_as_what_they_carry() {
    check(
        &[],
        &[
            // IPv4-mapped, IPv4-compatible, IPv4-translated.
            ("::ffff:8.8.8.8", "ok"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:10.1.2.3", "private"),
            ("::ffff:169.254.169.254", "metadata"),
            ("::8.8.8.8", "ok"),
            ("::127.0.0.1", "loopback"),
            ("::2", "reserved"),
            ("::ffff:0:127.0.0.1", "loopback"),
            // NAT64, well-known and of local use.
            ("64:ff9b::8.8.8.8", "ok"),
            ("64:ff9b::127.0.0.1", "loopback"),
            ("64:ff9b::168.63.129.16", "metadata"),
            ("64:ff9b:1::8.8.8.8", "ok"),
            ("64:ff9b:1::10.0.0.1", "private"),
            ("64:ff9b:1:0a00:0:0100::", "reserved"),
            ("64:ff9b:1:fffe::8.8.8.8", "reserved"),
            ("64:ff9b:2::8.8.8.8", "reserved"),
            ("64:ff9b::1:8.8.8.8", "reserved"),
            // 6to4: 808:808 is 8.8.8.8, 7f00:1 is 127.0.0.1.
            ("2002:808:808::1", "ok"),
            ("2002:7f00:1::1", "loopback"),
            ("2002:a9fe:a9fe::", "metadata"),
            // Teredo: server, then the client with its bits turned over (f7f7:f7f7 is 8.8.8.8, 80ff:fffe is 127.0.0.1).
            ("2001:0:808:808::f7f7:f7f7", "ok"),
            ("2001:0:808:808::80ff:fffe", "loopback"),
            ("2001:0:7f00:1::f7f7:f7f7", "loopback"),
            ("2001::", "unspecified"),
        ],
    );
}

#[test]
fn what_is_opened_is_matched_by_meaning() {
    check(
        &["loopback"],
        &[
            ("127.0.0.1", "ok"),
            ("127.9.9.9", "ok"),
            ("::1", "ok"),
            ("::ffff:127.0.0.1", "ok"),
            ("64:ff9b::127.0.0.1", "ok"),
            ("0.0.0.0", "unspecified"),
            ("::", "unspecified"),
            ("10.0.0.1", "private"),
        ],
    );
    check(
        &["private"],
        &[
            ("10.0.0.1", "ok"),
            ("172.16.0.1", "ok"),
            ("192.168.1.1", "ok"),
            ("fd00::1", "ok"),
            ("::ffff:192.168.1.1", "ok"),
            ("fd00:ec2::254", "metadata"),
            ("169.254.1.1", "link_local"),
            ("100.64.0.1", "shared"),
            ("127.0.0.1", "loopback"),
        ],
    );
    check(
        &["10.1.0.0/16", "169.254.169.254", "fd00:ec2::/32"],
        &[
            ("10.1.2.3", "ok"),
            ("10.2.0.0", "private"),
            ("2002:a01:203::1", "ok"),
            ("169.254.169.254", "ok"),
            ("169.254.169.253", "link_local"),
            ("fd00:ec2::254", "ok"),
        ],
    );
    // Both addresses of a Teredo address need leave: here the server is private, the client loopback.
    check(&["private"], &[("2001:0:a00:1::80ff:fffe", "loopback")]);
    check(&["private", "loopback"], &[("2001:0:a00:1::80ff:fffe", "ok")]);
    // A network of IPv6 opens what is IPv6, never the IPv4 address carried inside.
    check(&["::/0"], &[("fe80::1", "ok"), ("::ffff:10.0.0.1", "private")]);
}

#[test]
fn entries_are_read_and_written() {
    let read = |text: &str| text.parse::<Allow>();
    for (text, written) in [
        ("loopback", "loopback"),
        ("private", "private"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("fd00::/8", "fd00::/8"),
        ("::1", "::1/128"),
    ] {
        assert_eq!(read(text).expect("a valid entry").to_string(), written);
    }
    for text in ["", "Loopback", "localhost", "10.0.0.0/33", "10.0/8", "*"] {
        assert!(read(text).is_err(), "{text:?}");
    }
    assert_eq!(
        read("office").expect_err("no network").to_string(),
        r#""office" is neither a network (10.0.0.0/8), an address, `loopback` nor `private`"#
    );
}

#[test]
fn policies_add_up() {
    let host = AddressPolicy::parse(["loopback"]).expect("valid");
    let organization = AddressPolicy::parse(["loopback", "10.0.0.0/8"]).expect("valid");
    let both = host.and(&organization);
    assert_eq!(both.allowed().len(), 2);
    assert_eq!(verdict(&both, "10.0.0.1"), "ok");
    assert_eq!(verdict(&host, "10.0.0.1"), "private");
}

#[test]
fn a_refusal_says_what_it_is() {
    let refusal = |ip: &str| {
        AddressPolicy::default()
            .judge(ip.parse().expect("an address"))
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(refusal("127.0.0.1"), "127.0.0.1 is a loopback address");
    assert_eq!(refusal("::ffff:10.0.0.1"), "::ffff:10.0.0.1 stands for 10.0.0.1, a private address");
}
