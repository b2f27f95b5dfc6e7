//! A development certificate authority: certificates for servers and clients
//! of one mesh, with their roles in them. Not for production: its key lies in
//! a file beside the certificates.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{Datelike, Days, NaiveDate};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use super::KeyError;

/// Subject alternative name of the one component that may talk to domain nodes.
pub(crate) const GATEWAY_ROLE: &str = "meshgate:role:gateway";
/// Subject alternative name of every domain node.
pub(crate) const NODE_ROLE: &str = "meshgate:role:node";

/// Long enough for a kept demo, short enough not to be mistaken for production.
const VALID_DAYS: u64 = 397;

/// Issues certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    key: String,
    today: NaiveDate,
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Server,
    Client,
}

/// A certificate and its private key, both PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn create(today: NaiveDate) -> Result<Self, KeyError> {
        let mut params = dated_params("Meshgate development CA", today);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        let key_text = key.serialize_pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate, key: key_text, today })
    }

    /// The CA's own certificate.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The CA's own private key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Issues a certificate for `dns_names`, for this machine if it is a
    /// server's, and with `role` as a URI name.
    pub(crate) fn issue(
        &self,
        common_name: &str,
        purpose: Purpose,
        dns_names: &[&str],
        role: Option<&str>,
    ) -> Result<Issued, KeyError> {
        let mut params = dated_params(common_name, self.today);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        for name in dns_names {
            params.subject_alt_names.push(SanType::DnsName((*name).try_into()?));
        }
        if purpose == Purpose::Server {
            params.subject_alt_names.push(SanType::DnsName("localhost".try_into()?));
            params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        }
        if let Some(role) = role {
            params.subject_alt_names.push(SanType::URI(role.try_into()?));
        }
        let key = KeyPair::generate()?;
        let certificate: Certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// Valid from yesterday, so that a clock a little behind does not matter.
fn dated_params(common_name: &str, today: NaiveDate) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    let first = today.checked_sub_days(Days::new(1)).unwrap_or(today);
    let last = today.checked_add_days(Days::new(VALID_DAYS)).unwrap_or(today);
    // Months and days of a calendar date always fit into a byte.
    params.not_before = rcgen::date_time_ymd(first.year(), first.month() as u8, first.day() as u8);
    params.not_after = rcgen::date_time_ymd(last.year(), last.month() as u8, last.day() as u8);
    params
}
