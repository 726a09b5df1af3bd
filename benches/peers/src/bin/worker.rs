//! Runs the calls of segmenta, or of a peer in Rust, when the driver says so.
//!
//! The first line of the standard input is a task; the answer is the version. Each further
//! line asks for one run: `{"save": folder or null}`. Every answer is one line of JSON. As `sql`
//! it only tells how the task is written for DuckDB.

use std::env;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use segmenta_peers::Result;
use segmenta_peers::tasks::{Answer, Prepared, Task};
use segmenta_peers::versions::version;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Run {
    /// Where the arrays of the answer go, when they are wanted.
    save: Option<PathBuf>,
}

fn main() -> Result<()> {
    let program = env::args().nth(1).ok_or("usage: worker segmenta|linfa|kodama|sql")?;
    let n_threads = env::var("PEERS_THREADS")?.parse()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
    if env::var_os("PEERS_BIND").is_some() {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let bind = move |thread: usize| {
            if let Some(&core) = cores.get(thread % cores.len().max(1)) {
                core_affinity::set_for_current(core);
            }
        };
        pool.start_handler(bind).build_global()?;
    } else {
        pool.build_global()?;
    }
    // From inside the pool, so that its threads are all there are, as with OpenMP.
    Ok(rayon::scope(|_| serve(&program).map_err(|e| e.to_string()))?)
}

fn serve(program: &str) -> Result<()> {
    let mut lines = io::stdin().lock().lines();
    let task: Task = serde_json::from_str(&lines.next().ok_or("no task")??)?;
    if program == "sql" {
        return say(&json!({ "sql": task.sql()? }));
    }
    let prepared = prepare(program, &task)?;
    let package = if program == "linfa" { "linfa-clustering" } else { program };
    say(&json!({ "version": version(package) }))?;
    for line in lines {
        let run: Run = serde_json::from_str(&line?)?;
        let (measured, Answer { scalars, arrays }) = prepared()?;
        let mut answer = serde_json::to_value(measured)?;
        answer["scalars"] = Value::Object(scalars);
        if let Some(folder) = run.save {
            let mut saved = Map::new();
            for (name, numbers) in arrays {
                let spec = numbers.save(&folder, name)?;
                saved.insert(name.to_owned(), serde_json::to_value(spec)?);
            }
            answer["arrays"] = Value::Object(saved);
        }
        say(&answer)?;
    }
    Ok(())
}

fn prepare(program: &str, task: &Task) -> Result<Prepared> {
    match program {
        "segmenta" => task.segmenta(),
        "linfa" => task.linfa(),
        "kodama" => task.kodama(),
        other => Err(format!("no program `{other}`").into()),
    }
}

fn say(answer: &Value) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{answer}")?;
    Ok(out.flush()?)
}
