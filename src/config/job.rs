//! How many processes a launcher has started together.

use super::Environment;

/// Where launchers tell it: torchrun (<https://docs.pytorch.org/docs/stable/elastic/run.html>), SLURM's srun
/// (<https://slurm.schedmd.com/srun.html>), Open MPI, and what speaks PMI. Not SLURM_NTASKS, which a batch script has that
/// is one process.
const TOLD_BY: [&str; 5] =
    ["STRATA_WORLD_SIZE", "WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// The processes of the job that this one belongs to, at least 1: [`RuntimeConfig::begun_together`](super::RuntimeConfig)
/// for what all of them do at once, such as getting a checkpoint after a restart.
pub fn processes_of_job(environment: &Environment) -> u32 {
    let told = TOLD_BY.iter().filter_map(|name| environment.get(name)?.trim().parse::<u32>().ok());
    told.max().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_launchers_tell() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            processes_of_job(&Environment::from_pairs(pairs))
        };
        assert_eq!(of(&[]), 1);
        assert_eq!(of(&[("WORLD_SIZE", "64")]), 64);
        assert_eq!(of(&[("SLURM_STEP_NUM_TASKS", "8"), ("WORLD_SIZE", "64")]), 64);
        assert_eq!(of(&[("WORLD_SIZE", "many"), ("PMI_SIZE", "0")]), 1);
    }
}
