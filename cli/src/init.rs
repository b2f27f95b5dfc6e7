//! `meshgate init`: first files of a domain and of a product. They are drafts
//! that check without errors; what they leave open, they say in comments.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use meshgate_domain_node::{
    NodeConfig,
    contract::{DraftOrder, draft_contract},
};
use meshgate_policies::names;

use crate::{failure::Failure, serve, sql};

#[derive(Debug, Subcommand)]
pub(crate) enum InitCommand {
    /// Make a domain's folder: node.yaml, policies, a place for contracts.
    Domain(DomainArguments),
    /// Draft the contract of a product from its files.
    Product(ProductArguments),
}

#[derive(Debug, Args)]
pub(crate) struct DomainArguments {
    /// The domain: its SQL schema.
    name: String,
    /// Folder to make; named after the domain if not given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProductArguments {
    /// The product, and its one table.
    name: String,
    /// A file, a folder or a glob (in quotes): Parquet, CSV, JSON lines or Arrow IPC.
    #[arg(long, value_name = "FILES")]
    from: PathBuf,
    /// The domain's folder, which has node.yaml.
    #[arg(long, value_name = "DIR", default_value = ".")]
    domain: PathBuf,
}

pub(crate) fn run(command: &InitCommand) -> Result<(), Failure> {
    match command {
        InitCommand::Domain(arguments) => domain(arguments),
        InitCommand::Product(arguments) => product(arguments),
    }
}

fn domain(arguments: &DomainArguments) -> Result<(), Failure> {
    let name = arguments.name.as_str();
    if !names::is_name(name) || names::is_reserved_domain(name) {
        let rule = "lower-case letters, digits and `_`, at most 63, a letter first, and not reserved";
        return Err(Failure::Usage(format!("`{name}` cannot be the name of a domain: write {rule}")));
    }
    let folder = arguments.out.clone().unwrap_or_else(|| PathBuf::from(name));
    let files = [
        ("node.yaml", include_str!("init/node.yaml")),
        ("mesh.yaml", include_str!("init/mesh.yaml")),
        ("policies/policies.yaml", include_str!("init/policies.yaml")),
    ];
    // All or nothing: what is there is somebody's work.
    for (file, _) in files {
        refuse_existing(&folder.join(file))?;
    }
    for made in [folder.join("products"), folder.join("policies"), folder.join("tls"), folder.join("audit")] {
        fs::create_dir_all(&made).map_err(|error| Failure::file("make", &made, &error))?;
    }
    for (file, text) in files {
        write(&folder.join(file), &text.replace("DOMAIN", name))?;
    }
    let folder = folder.display();
    sql::print(&format!(
        "{folder}/node.yaml                what the node needs: keys in {folder}/tls (`meshgate dev ca --out keys --domain {name}`, then copy keys/nodes/{name})\n\
         {folder}/mesh.yaml                a stand-in: replace it by the document of your mesh's operator (`meshgate mesh pull`)\n\
         {folder}/policies/policies.yaml   who may see what; nobody sees anything until you write it\n\
         Next: meshgate init product orders --from 'data/orders/*.parquet' --domain {folder}\n"
    ))
}

fn product(arguments: &ProductArguments) -> Result<(), Failure> {
    let node = arguments.domain.join("node.yaml");
    let config = NodeConfig::load(&node, &serve::environment)
        .map_err(|problems| serve::configuration_failure(&problems))?;
    let draft = draft_contract(&DraftOrder {
        product: &arguments.name,
        domain: &config.domain,
        environment: &config.environment,
        products: &config.products,
        data_roots: &config.data_roots,
        from: &arguments.from,
    })
    .map_err(|error| Failure::Usage(error.to_string()))?;
    let file = config.products.join(format!("{}.odcs.yaml", arguments.name));
    refuse_existing(&file)?;
    fs::create_dir_all(&config.products).map_err(|error| Failure::file("make", &config.products, &error))?;
    write(&file, &draft.text)?;
    let mut text = format!("{}\n", file.display());
    for note in &draft.notes {
        text.push_str(&format!("Note: {note}\n"));
    }
    text.push_str(&format!(
        "Next: read the contract and classify its columns; grant it in {}; meshgate check {}\n",
        config.policies.display(),
        arguments.domain.display()
    ));
    sql::print(&text)
}

fn refuse_existing(file: &Path) -> Result<(), Failure> {
    if file.symlink_metadata().is_ok() {
        return Err(Failure::Usage(format!("{} is there already, and is not written over", file.display())));
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(|error| Failure::file("write", file, &error))
}
