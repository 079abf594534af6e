//! `bench`.

mod chart;
mod html;
mod layout;
mod live;
mod plan;
mod table;
mod terminal;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use storage::bench::{self, Baseline, Change, OpenStore, Report};
use storage::{Error, ErrorKind, Result, RuntimeConfig, StorageBackend};
use tempfile::NamedTempFile;

use super::args::BenchArgs;
use super::context::Context;
use super::exit::Slower;
use super::location::Location;
use super::schema::Object;
use live::Live;

/// A finished measurement, as all forms of output show it.
#[derive(Debug)]
struct Measured {
    report: Report,
    /// With `--baseline`.
    changes: Option<Vec<Change>>,
    tolerance: f64,
    /// RFC 3339 in UTC.
    time: String,
    seconds: f64,
}

/// Runs `bench`.
pub(crate) async fn run(context: &Context, args: BenchArgs) -> anyhow::Result<()> {
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
    if baseline.is_none() && context.typed.tolerance {
        return Err(Error::invalid(
            "--tolerance says how much slower than a baseline a cell may be, and there is none",
        )
        .hint_is("add --baseline FILE, or leave --tolerance out")
        .into());
    }
    let plan = plan::of(context, &args, baseline.as_ref()).map_err(|error| of_file(&args, &error))?;
    plan.check()?;
    if let Some(baseline) = &baseline {
        baseline.check(&plan).map_err(|error| of_file(&args, &error))?;
    }
    // Begun now, so that nobody measures for a page that cannot be written.
    let page = args.html.as_deref().map(|path| Ok::<_, Error>((path, begin_page(path)?))).transpose()?;

    let live = Arc::new(Live::new(context));
    let location = Location::parse_prefix("")?;
    let made = missing(context.local_directory(&location)?);
    let stores = Configured { context, location };
    let measuring = bench::run(&plan, &context.runtime, &stores, live.clone());
    let outcome = tokio::select! {
        outcome = measuring => outcome,
        never = live.keep_telling() => match never {},
    };
    live.finish();
    // A local store that was not there before: only directories that are empty go.
    for directory in &made {
        let _ = fs::remove_dir(directory);
    }
    let report = outcome?;
    let changes = match &baseline {
        Some(baseline) => {
            Some(baseline.compare(&report.cells, args.tolerance).map_err(|error| of_file(&args, &error))?)
        }
        None => None,
    };
    let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let seconds = (context.started.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    let measured = Measured { report, changes, tolerance: args.tolerance, time, seconds };
    if let Some((path, file)) = page {
        write_page(path, file, &html::page(&measured)?)?;
    }
    tell(context, &measured)?;
    if let Some(other) = baseline.and_then(|baseline| baseline.uri).filter(|uri| *uri != measured.report.setup.uri) {
        context.output.warning(&format!("the baseline was measured on another store, {other}"));
    }
    if let Some(path) = &args.html {
        context.output.note(&format!("the page is {}", path.display()));
    }
    let changes = measured.changes.unwrap_or_default();
    match changes.iter().filter(|change| change.slower).count() {
        0 => Ok(()),
        cells => Err(Slower { cells, of: changes.len(), tolerance: args.tolerance }.into()),
    }
}

/// The configured store, opened for each run.
struct Configured<'a> {
    context: &'a Context,
    location: Location,
}

#[async_trait]
impl OpenStore for Configured<'_> {
    async fn open(&self, runtime: RuntimeConfig) -> Result<Arc<dyn StorageBackend>> {
        self.context.open_with(&self.location, runtime).await
    }
}

/// The directory and those above it that do not exist yet, innermost first.
fn missing(directory: Option<PathBuf>) -> Vec<PathBuf> {
    let Some(directory) = directory else { return Vec::new() };
    let above = directory.ancestors().filter(|path| !path.as_os_str().is_empty());
    above.take_while(|path| !path.exists()).map(Path::to_owned).collect()
}

fn read_baseline(path: &Path) -> Result<Baseline> {
    let shown = path.display();
    let hint = "a baseline is what an earlier run printed: strata-ckpt bench --json > FILE";
    let text = fs::read_to_string(path).map_err(|error| {
        Error::invalid(Error::local(format!("read the baseline '{shown}'"), error).to_string()).hint_is(hint)
    })?;
    Baseline::parse(&text).map_err(|error| Error::invalid(format!("'{shown}' is no baseline: {error}")).hint_is(hint))
}

/// The same error, with the baseline's name where there is one.
fn of_file(args: &BenchArgs, error: &Error) -> Error {
    let Some(path) = &args.baseline else { return Error::invalid(error.to_string()) };
    let named = Error::invalid(format!("the baseline '{}' {error}", path.display()));
    match error.hint() {
        Some(hint) => named.hint_is(hint),
        None => named,
    }
}

// --- output

fn tell(context: &Context, measured: &Measured) -> Result<()> {
    let Measured { report, changes, tolerance, time, seconds } = measured;
    let Report { setup, cells, stages, bottlenecks, bottleneck, recommendation, page } = report;
    if !context.output.is_json() {
        let width = terminal::size(&io::stdout()).map_or(usize::MAX, |(width, _)| width);
        return context.output.lines(table::all(measured, width));
    }
    let whole = Object::Bench {
        version: env!("CARGO_PKG_VERSION"),
        time: time.clone(),
        seconds: *seconds,
        setup,
        stages,
        bottlenecks,
        bottleneck,
        recommended: recommendation,
        page,
        baseline: changes.as_deref(),
        tolerance_percent: changes.as_ref().map(|_| *tolerance),
    };
    context.output.objects(cells.iter().map(Object::BenchCell).chain([whole]))
}

/// A file beside the page, which takes its place when it is whole.
fn begin_page(path: &Path) -> Result<NamedTempFile> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error| Error::local(format!("write '{}'", path.display()), error);
    if path.is_dir() {
        return Err(
            Error::invalid(format!("'{}' is a directory", path.display())).hint_is("name a file: --html bench.html")
        );
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".strata-bench-").permissions(mode).tempfile_in(parent).map_err(failed).map_err(
        |error| {
            // A directory that is not there is a wrong argument, not something missing in the store.
            match error.kind() {
                ErrorKind::NotFound => Error::invalid(error.to_string()).hint_is("make its directory first"),
                _ => error,
            }
        },
    )
}

fn write_page(path: &Path, mut file: NamedTempFile, page: &str) -> Result<()> {
    let failed = |error| Error::local(format!("write '{}'", path.display()), error);
    file.write_all(page.as_bytes()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
