//! Which gateway to talk to, and as whom.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{demo::state, failure::Failure};

/// Tokens are small; a file that is larger is none.
const TOKEN_BYTES: usize = 64 * 1024;

#[derive(Debug, Args)]
pub(crate) struct TargetArguments {
    /// The gateway, such as grpc+tls://localhost:31337.
    #[arg(long, value_name = "URI", requires_all = ["ca", "token_file"])]
    gateway: Option<String>,
    /// Certificate of the authority that signed the gateway's certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "gateway")]
    ca: Option<PathBuf>,
    /// File that holds the token (a JWT).
    #[arg(long, value_name = "FILE", requires = "gateway")]
    token_file: Option<PathBuf>,
    /// Somebody of the running demo: anna, rita, marco, felix, dora, eve, otto, sven.
    #[arg(long = "as", value_name = "PERSONA", conflicts_with = "gateway")]
    persona: Option<String>,
    /// What you work for: a purpose that your token names.
    #[arg(long, value_name = "PURPOSE")]
    purpose: Option<String>,
    /// Folder of the demo, if it is not the last one started.
    #[arg(long, value_name = "DIR", requires = "persona")]
    demo: Option<PathBuf>,
}

/// A gateway and a caller.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) uri: String,
    pub(crate) ca: PathBuf,
    pub(crate) token: String,
    /// What every call is for.
    pub(crate) purpose: Option<String>,
}

impl Target {
    pub(crate) fn from_arguments(arguments: &TargetArguments) -> Result<Self, Failure> {
        let target = Self::without_purpose(arguments)?;
        let purpose = arguments.purpose.clone();
        if purpose.as_deref().is_some_and(|purpose| !purpose.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Failure::Usage("--purpose is not the name of a purpose".to_owned()));
        }
        Ok(Self { purpose, ..target })
    }

    fn without_purpose(arguments: &TargetArguments) -> Result<Self, Failure> {
        match arguments {
            TargetArguments { gateway: Some(uri), ca: Some(ca), token_file: Some(token), .. } => {
                Ok(Self { uri: uri.clone(), ca: ca.clone(), token: read_token(token)?, purpose: None })
            }
            TargetArguments { persona: Some(persona), demo, .. } => {
                let demo = match demo {
                    Some(folder) => state::read(folder)?,
                    None => state::read_last()?,
                };
                Self::of_demo(&demo, persona)
            }
            _ => Err(Failure::Usage(
                "say whom to ask: --as PERSONA for the running demo, or --gateway URI --ca FILE --token-file FILE"
                    .to_owned(),
            )),
        }
    }

    pub(crate) fn of_demo(demo: &state::DemoState, persona: &str) -> Result<Self, Failure> {
        let Some(token) = demo.tokens.get(persona) else {
            let known: Vec<&str> = demo.tokens.keys().map(String::as_str).collect();
            return Err(Failure::Usage(format!(
                "the demo has no persona `{persona}`; it has {}",
                known.join(", ")
            )));
        };
        let (uri, ca) = (demo.gateway.uri.clone(), demo.ca.clone());
        Ok(Self { uri, ca, token: token.clone(), purpose: None })
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::file("read the token", path, &error))?;
    let token = text.trim();
    let is_printable = token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.is_empty() || token.len() > TOKEN_BYTES || !is_printable {
        return Err(Failure::Usage(format!(
            "{} does not hold a token (one JWT, nothing else)",
            path.display()
        )));
    }
    Ok(token.to_owned())
}
