//! `networks`: names for parts of the network, told apart by addresses of clients.

use std::net::IpAddr;

use meshgate_engine::direct::{DEFAULT_ZONE, is_zone};
use meshgate_policies::yaml::Reader;

/// Most networks of all zones.
const NETWORKS_MAX: usize = 1_024;

/// Which zone an address is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<(Network, String)>);

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Networks {
    /// These networks, with the names of their zones.
    #[cfg(test)]
    pub(crate) fn of(all: &[(&str, &str)]) -> Self {
        Self(all.iter().map(|(text, zone)| (Network::read(text).unwrap(), (*zone).to_owned())).collect())
    }

    /// The zone of the smallest network that holds `peer`.
    pub fn zone(&self, peer: Option<IpAddr>) -> &str {
        let peer = peer.map(|peer| peer.to_canonical());
        let holding = self.0.iter().filter(|(network, _)| peer.is_some_and(|peer| network.holds(peer)));
        holding.max_by_key(|(network, _)| network.bits).map_or(DEFAULT_ZONE, |(_, zone)| zone)
    }
}

impl Network {
    /// `10.0.0.0/8`, `fd00::/8`; no bits behind those that count.
    fn read(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let network = Self { address: address.parse().ok()?, bits: bits.parse().ok()? };
        let length = if network.address.is_ipv4() { u32::BITS } else { u128::BITS };
        let (shifted, within) = (network.number() << (u128::BITS - length), network.bits <= length);
        let rest = if network.bits < u128::BITS { shifted << network.bits } else { 0 };
        (within && rest == 0).then_some(network)
    }

    fn holds(self, peer: IpAddr) -> bool {
        let length = if self.address.is_ipv4() { u32::BITS } else { u128::BITS };
        let other = Self { address: peer, ..self };
        let first = |number: u128| number.checked_shr(length.saturating_sub(self.bits)).unwrap_or_default();
        self.address.is_ipv4() == peer.is_ipv4() && first(self.number()) == first(other.number())
    }

    fn number(self) -> u128 {
        match self.address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_, '_>) -> Networks {
    let mut networks = Networks::default();
    if !reader.has("networks") {
        return networks;
    }
    for zone in reader.entries("networks").unwrap_or_default() {
        if !is_zone(&zone.key) || zone.key == DEFAULT_ZONE {
            let hint = format!("lower-case letters, digits and `_`; `{DEFAULT_ZONE}` is what no zone holds");
            reader.error(zone.value.line, format!("`{}` cannot name a zone", zone.key), Some(hint));
        }
        for item in zone.value.as_sequence().unwrap_or(std::slice::from_ref(&zone.value)) {
            match item.as_scalar().and_then(Network::read) {
                None => {
                    let hint = "write for example `10.0.0.0/8` or `fd00::/8`".to_owned();
                    reader.error(item.line, "this is not a network", Some(hint));
                }
                Some(network) if networks.0.iter().any(|(other, _)| *other == network) => {
                    reader.error(item.line, "this network is there twice", None);
                }
                Some(network) => networks.0.push((network, zone.key.clone())),
            }
        }
    }
    if networks.0.len() > NETWORKS_MAX {
        let line = reader.line_of("networks");
        reader.error(line, format!("there are more than {NETWORKS_MAX} networks"), None);
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_network_names_the_zone_wherever_it_stands() {
        let networks = Networks::of(&[
            ("10.0.0.0/8", "office"),
            ("10.1.2.0/24", "lab"),
            ("10.1.0.0/16", "branch"),
            ("fd00::/8", "office"),
            ("fd00::7/128", "lab"),
        ]);
        for (peer, zone) in [
            ("10.9.9.9", "office"),
            ("10.1.9.9", "branch"),
            ("10.1.2.9", "lab"),
            ("10.1.3.0", "branch"),
            ("11.0.0.0", "default"),
            ("9.255.255.255", "default"),
            ("::ffff:10.1.2.3", "lab"),
            ("fd12::1", "office"),
            ("fd00::7", "lab"),
            ("fe00::1", "default"),
            // The same bits as 10.0.0.0 are another family's.
            ("::a00:0", "default"),
        ] {
            assert_eq!(networks.zone(Some(peer.parse().unwrap())), zone, "{peer}");
        }
        assert_eq!(networks.zone(None), "default");
        assert_eq!(Networks::default().zone(Some("10.0.0.1".parse().unwrap())), "default");
    }

    #[test]
    fn a_network_may_hold_every_address() {
        let all = Networks::of(&[("0.0.0.0/0", "four"), ("::/0", "six")]);
        assert_eq!(all.zone(Some("1.2.3.4".parse().unwrap())), "four");
        assert_eq!(all.zone(Some("fd00::1".parse().unwrap())), "six");
    }

    #[test]
    fn what_is_no_network_is_not_read() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/-1",
            "10.0.0/8",
            "fd00::/129",
            "fd00::1/64",
        ] {
            assert_eq!(Network::read(text), None, "{text}");
        }
        assert!(Network::read("255.255.255.255/32").is_some() && Network::read("fd00::1/128").is_some());
    }
}
