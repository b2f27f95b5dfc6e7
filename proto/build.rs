//! Compiles the messages in pure Rust: no protoc is needed on the machine.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=meshgate");
    let descriptors = protox::compile(["meshgate/v1/meshgate.proto"], ["."])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
