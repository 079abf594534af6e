//! `strata-ckpt`: moves training checkpoints between a machine and a store. Everything it does is in the library
//! `storage`; what is here reads arguments and environment, prints, and ends with an exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os().collect())
}
